"""The vendor's own words: replies in the ticket's mailbox (IMAP), and what its status page says."""
