"""What the agreement means: pure decisions over recorded facts.

Nothing here does I/O, knows asyncio, or asks for the time: time comes in as a value (UTC seconds or nanoseconds), so that
the same tallies and events give the same verdicts, incidents and acts (DESIGN.md, invariant 10).
"""

#: Version of the rules of judgement. A verdict names the version by which it was judged; raise it when any rule changes.
VERSION = "1"
