"""What a stream of records yields: records of a ring buffer or a perf event array, and where some
are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Optional, Sequence, TypeVar, Union

from bpfmapd.enums import LossReason
from bpfmapd.info import MapInfo

T = TypeVar("T")


@dataclass(frozen=True)
class RecordsStarted:
    """The daemon reads the ring: from here on no record is missed without being told."""

    map: MapInfo
    """The map."""
    next_sequence: int
    """Sequence number of the first record that follows."""


@dataclass(frozen=True)
class RecordEvent(Generic[T]):
    """A record."""

    sequence: int
    """Counts the records that the daemon took from the ring since it began to read."""
    data: T
    """What was written. Of perf event arrays, bytes have up to 7 more of no meaning."""
    cpu: Optional[int]
    """Of perf event arrays: the CPU that wrote it."""
    time_ns: Optional[int]
    """Of perf event arrays: when it was written, in nanoseconds of CLOCK_MONOTONIC."""


@dataclass(frozen=True)
class RecordBatch:
    """Records as they came over the wire."""

    first_sequence: int
    """Sequence number of the first; the others follow without a gap."""
    sizes: Sequence[int]
    """Bytes of each record."""
    data: bytes
    """The records, back to back."""
    cpus: Sequence[int]
    """Of perf event arrays: the CPU that wrote each."""
    times_ns: Sequence[int]
    """Of perf event arrays: when each was written, as RecordEvent.time_ns."""


@dataclass(frozen=True)
class RecordsLost:
    """Records that this reader will not see, at the place where they are missing."""

    reason: LossReason
    """Why."""
    count: int
    """How many."""
    cpu: Optional[int]
    """For RING_FULL: the CPU whose ring was full."""


Records = Union[RecordEvent[T], RecordsLost]
