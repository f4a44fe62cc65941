"""The store: what was measured, decided and done, in one SQLite file.

`Store` and `Writer` are the measuring process's (the only writer); `Reader` is everybody else's.
"""

from prober.store.backlog import Bounds
from prober.store.days import Day
from prober.store.durations import Durations
from prober.store.errors import (
    CorruptError,
    DiskFullError,
    NoStoreError,
    NotOursError,
    ReadOnlyError,
    StoreError,
    StoreLockedError,
    TooNewError,
)
from prober.store.figures import Figures, Scope
from prober.store.place import locate
from prober.store.reader import Reader, StoredAct, StoredFailure, StoredRecord
from prober.store.rows import observation_of
from prober.store.sqlite import Memory, PendingAct, Store
from prober.store.values import (
    ActStatus,
    Certificate,
    Failure,
    FigureRow,
    IncidentHead,
    MaintenanceTurn,
    SeriesKey,
    SeriesRun,
    Transaction,
)
from prober.store.writer import Health, Writer

__all__ = [
    "ActStatus",
    "Bounds",
    "Certificate",
    "CorruptError",
    "Day",
    "DiskFullError",
    "Durations",
    "Failure",
    "FigureRow",
    "Figures",
    "Health",
    "IncidentHead",
    "MaintenanceTurn",
    "Memory",
    "NoStoreError",
    "NotOursError",
    "PendingAct",
    "ReadOnlyError",
    "Reader",
    "Scope",
    "SeriesKey",
    "SeriesRun",
    "Store",
    "StoreError",
    "StoreLockedError",
    "StoredAct",
    "StoredFailure",
    "StoredRecord",
    "TooNewError",
    "Transaction",
    "Writer",
    "locate",
    "observation_of",
]
