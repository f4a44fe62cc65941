"""How a ticket is called before people: by the vendor's number, or in words while a mail alone is known.

A ticket that left by mail is known by the Message-ID of that mail until the vendor's number is read or entered. Nobody can
say a Message-ID on the telephone, and a vendor's dashboard does not find it.
"""

import re

#: What stands in the place of the number of a ticket that has none yet.
NO_NUMBER = "sent by e-mail, no number from the vendor yet"
_MESSAGE_ID = re.compile(r"<[^<>\s]+@[^<>\s]+>\Z")  # RFC 5322 3.6.4


def is_mail(ticket: str) -> bool:
    """Whether `ticket` is a mail's Message-ID and no number."""
    return _MESSAGE_ID.match(ticket) is not None


def in_words(ticket: str) -> str:
    """The number, or words in its place; "" for no ticket."""
    return NO_NUMBER if is_mail(ticket) else ticket
