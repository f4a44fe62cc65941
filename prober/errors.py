"""The one root of the program's errors, and the exit statuses that a command ends with.

An error's text says what happened, where, and what to do; the command line prints it as it is, without a traceback.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses (DESIGN.md, "Commands")."""

    OK = 0
    FAILED = 1  # it did not work
    USAGE = 2  # bad usage or configuration


class ProberError(Exception):
    """Something that a person can act on. The message is complete: no traceback is needed to understand it."""

    exit = Exit.FAILED


class UsageError(ProberError):
    """The command was called in a way that makes no sense (an unknown service, a time that is none)."""

    exit = Exit.USAGE
