"""The incident room: what an incident is made of, put together from the store as values that a template shows.

Whatever comes from outside (replies, tickets, names) is made harmless and bounded here.
"""
