"""CPU, memory and descriptors of our processes, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu` user and system seconds since the start, `resident` bytes, `descriptors` open now."""

    cpu: float
    resident: int
    descriptors: int


def usage(pid: int) -> Usage | None:
    """What the process uses; None when there is none of this id, or it is not ours to look at."""
    folder = Path("/proc") / str(pid)
    try:
        # proc(5): the name (field 2) may hold blanks and brackets, so count from the last bracket; utime and stime
        # are fields 14 and 15.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = int((folder / "statm").read_text().split()[1])
        descriptors = len(list((folder / "fd").iterdir()))
    except OSError:
        return None
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, pages * _PAGE, descriptors)
