"""What a watch yields.

`Created` comes first, and each time the stream was made anew. `Put` and `Delete` are changes,
to be applied in order. `Synced` says that a snapshot is whole: keys that were in neither its
puts nor changes since the `Resync` before it (or since the start) are not in the map. A
`Bookmark` says that everything up to its revision was told. `Resync` says that what was told
so far may no longer be the map's contents, and that a snapshot follows. `Gone` says that the
map was freed: the last event, unless the watch follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Optional, TypeVar, Union

from bpfmapd.enums import ResyncReason, WatchFidelity, WatchSource, WriterKind
from bpfmapd.info import MapInfo

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Created:
    """The stream of one map begins."""

    map: MapInfo
    """The map."""
    source: WatchSource
    """What the stream learns changes from."""
    source_reason: str
    """Where the source is not TRACE: why not, for people."""
    fidelity: WatchFidelity
    """What the stream promises."""
    poll_interval: timedelta
    """The interval between scans as it is now."""
    epoch: bytes
    """Id of the daemon's run, which revisions belong to."""


@dataclass(frozen=True)
class Writer:
    """Who changed an element."""

    pid: int
    """Process id in the host's first pid namespace; 0 where it is not known."""
    comm: str
    """Command name of the thread."""
    kind: WriterKind
    """By a system call, a program or the service."""
    monotonic_ns: int
    """The kernel's monotonic clock when it was done."""


@dataclass(frozen=True)
class Put(Generic[K, V]):
    """An element was added or changed."""

    key: K
    """The key."""
    value: Optional[V]
    """The value; None with keys_only."""
    previous: Optional[V]
    """With previous_values: the value before, where there was one and it is known."""
    initial: bool
    """Whether it is part of a snapshot."""
    revision: int
    """Never falls within one run of the daemon."""
    writer: Optional[Writer]
    """Who did it, where it is known."""
    seen_after: datetime
    """The value was in the map at some instant after this, by the host's clock."""
    seen_before: datetime
    """And before this."""


@dataclass(frozen=True)
class Delete(Generic[K, V]):
    """An element was deleted."""

    key: K
    """The key."""
    previous: Optional[V]
    """With previous_values: the value before, where it is known."""
    revision: int
    """See Put."""
    writer: Optional[Writer]
    """See Put."""
    seen_after: datetime
    """See Put."""
    seen_before: datetime
    """See Put."""


@dataclass(frozen=True)
class Bookmark:
    """Everything up to this revision was told."""

    revision: int
    """The last one that is wholly told."""
    resume_token: bytes
    """A later watch can go on here, while the daemon runs."""
    scan_started: Optional[datetime]
    """When the scan of this revision began, by the host's clock."""
    scan_finished: Optional[datetime]
    """When it ended."""
    poll_interval: timedelta
    """The interval between scans as it is now."""


@dataclass(frozen=True)
class Synced(Bookmark):
    """A snapshot is whole."""


@dataclass(frozen=True)
class Resync:
    """What was told so far may no longer be the contents: a snapshot follows."""

    reason: ResyncReason
    """UNSPECIFIED where the connection was lost before there was anything to resume from."""
    lost: int
    """Changes that were lost, where they could be counted; otherwise 0."""


@dataclass(frozen=True)
class Gone:
    """The map was freed."""

    id: int
    """The id that it had."""


Event = Union[Created, Put[K, V], Delete[K, V], Synced, Bookmark, Resync, Gone]
