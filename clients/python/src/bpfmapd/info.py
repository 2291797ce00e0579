"""What the daemon tells of maps and hosts, as plain objects.

Each keeps the message that it was made from in `message`, which has all the fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Optional, Tuple, TypeVar

from bpfmapd._gen.bpfmap.v1 import capability_pb2, host_service_pb2, map_pb2, map_service_pb2
from bpfmapd._messages import delta_of, time_of
from bpfmapd.enums import (
    Availability,
    ByteOrder,
    CreateFlag,
    IncompleteReason,
    KeyKind,
    MapOperation,
    MapType,
    SingleCpuWrite,
    ValueKind,
)
from bpfmapd.errors import BpfmapError

__all__ = [
    "Applied",
    "Count",
    "DumpSummary",
    "Failure",
    "Hold",
    "Holder",
    "HostInfo",
    "LoadResult",
    "MapInfo",
    "MapTypeCapabilities",
    "ProgramUse",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Hold:
    """A hold: the daemon keeps a map alive under a name."""

    name: str
    """Unique on the host."""
    lease: Optional[timedelta]
    """Time to live; None for a hold that lasts until it is released."""
    expires_at: Optional[datetime]
    """When the lease runs out unless it is kept alive, by the host's clock."""

    @staticmethod
    def of(message: map_pb2.Hold) -> Hold:
        """From the message."""
        return Hold(
            message.name,
            delta_of(message.lease) if message.HasField("lease") else None,
            time_of(message.expires_at) if message.HasField("expires_at") else None,
        )


@dataclass(frozen=True)
class Holder:
    """A process that has a map open."""

    pid: int
    """The process id, in the daemon's pid namespace."""
    comm: str
    """The process's command name, at most 15 bytes."""


@dataclass(frozen=True)
class ProgramUse:
    """A program that uses a map."""

    id: int
    """The kernel's program id."""
    name: str
    """At most 15 bytes."""
    type: int
    """The program's type (`enum bpf_prog_type`)."""


@dataclass(frozen=True)
class MapInfo:
    """A map as the kernel reports it."""

    id: int
    """The kernel's map id, unique within a boot."""
    type: MapType
    """The map's type."""
    name: str
    """At most 15 bytes; may be empty; not unique."""
    key_size: int
    """Bytes of one key; 0 for maps without keys."""
    value_size: int
    """Bytes of one value, of one CPU where the map is per-CPU."""
    value_stride: int
    """Bytes that a whole value takes, with all its CPUs' slots."""
    max_entries: int
    """Most elements the map can hold."""
    flags: CreateFlag
    """The create flags."""
    cpus: Tuple[int, ...]
    """The CPUs of a per-CPU map, in the order of the slots of a value; else empty."""
    frozen: Optional[bool]
    """Whether user space can no longer write it; None where the kernel does not say."""
    pins: Tuple[str, ...]
    """Paths of its pins; only where they were asked for."""
    holds: Tuple[Hold, ...]
    """The daemon's holds on it."""
    holders: Tuple[Holder, ...]
    """Processes that have it open; only where they were asked for."""
    programs: Tuple[ProgramUse, ...]
    """Programs that use it; only where they were asked for."""
    boot_id: str
    """The boot that the id belongs to."""
    message: map_pb2.Map = field(repr=False)
    """Everything that the daemon told."""

    @staticmethod
    def of(message: map_pb2.Map) -> MapInfo:
        """From the message."""
        return MapInfo(
            id=message.id,
            type=MapType(message.type),
            name=message.name,
            key_size=message.key_size,
            value_size=message.value_size,
            value_stride=message.value_stride,
            max_entries=message.max_entries,
            flags=CreateFlag(message.flags),
            cpus=tuple(message.cpus),
            frozen=message.frozen if message.HasField("frozen") else None,
            pins=tuple(message.pin_paths),
            holds=tuple(Hold.of(hold) for hold in message.holds),
            holders=tuple(Holder(each.pid, each.comm) for each in message.holders),
            programs=tuple(ProgramUse(each.id, each.name, each.type) for each in message.programs),
            boot_id=message.boot_id,
            message=message,
        )


@dataclass(frozen=True)
class HostInfo:
    """The host that the daemon runs on."""

    boot_id: str
    """Id of the running boot; map ids are only valid together with it."""
    hostname: str
    """The host's name."""
    kernel_release: str
    """Such as "6.12.0"."""
    machine: str
    """Such as "x86_64"."""
    byte_order: str
    """Of numbers in keys and values: "little" or "big"."""
    possible_cpus: Tuple[int, ...]
    """The CPUs that per-CPU maps have a slot for, in slot order."""
    daemon_version: str
    """Version of the daemon."""
    bpffs_roots: Tuple[str, ...]
    """The directories below which pins may be named."""
    max_message_bytes: int
    """Largest message that the daemon accepts or sends."""
    message: host_service_pb2.Host = field(repr=False)
    """Everything that the daemon told."""

    @staticmethod
    def of(message: host_service_pb2.Host) -> HostInfo:
        """From the message."""
        big = ByteOrder(message.byte_order) is ByteOrder.BIG_ENDIAN
        return HostInfo(
            boot_id=message.boot_id,
            hostname=message.hostname,
            kernel_release=message.kernel_release,
            machine=message.machine,
            byte_order="big" if big else "little",
            possible_cpus=tuple(message.possible_cpus),
            daemon_version=message.daemon_version,
            bpffs_roots=tuple(message.bpffs_roots),
            max_message_bytes=message.max_message_bytes,
            message=message,
        )


@dataclass(frozen=True)
class MapTypeCapabilities:
    """What the running kernel accepts for one map type, as it was tried."""

    type: MapType
    """The type."""
    name: str
    """In bpftool's and libbpf's spelling, such as "percpu_hash"."""
    availability: Availability
    """Whether a map of this type can be created."""
    operations: Tuple[MapOperation, ...]
    """The operations that the kernel accepts."""
    create_flags: CreateFlag
    """The create flags that the kernel accepts for it."""
    required_create_flags: CreateFlag
    """Create flags without which the kernel refuses it."""
    key_kind: KeyKind
    """What keys are."""
    value_kind: ValueKind
    """What values are."""
    single_cpu_write: SingleCpuWrite
    """How one CPU's slot is written; UNSPECIFIED for types that are not per-CPU."""
    evicts: bool
    """Whether a full map evicts elements instead of refusing."""
    notes: str
    """Constraints and traps, for people."""
    message: capability_pb2.MapTypeCapabilities = field(repr=False)
    """Everything that the daemon told, sizes among it."""

    @staticmethod
    def of(message: capability_pb2.MapTypeCapabilities) -> MapTypeCapabilities:
        """From the message."""
        return MapTypeCapabilities(
            type=MapType(message.type),
            name=message.name,
            availability=Availability(message.availability),
            operations=tuple(MapOperation(each) for each in message.operations),
            create_flags=CreateFlag(message.create_flags),
            required_create_flags=CreateFlag(message.required_create_flags),
            key_kind=KeyKind(message.key_kind),
            value_kind=ValueKind(message.value_kind),
            single_cpu_write=SingleCpuWrite(message.single_cpu_write),
            evicts=message.evicts,
            notes=message.notes,
            message=message,
        )


@dataclass(frozen=True)
class DumpSummary:
    """How a dump went."""

    sent: int
    """Elements sent."""
    scanned: int
    """Elements read from the kernel, before the filter."""
    complete: bool
    """Whether every element that stood still, and passed the filter, was sent exactly once."""
    incomplete_reason: IncompleteReason
    """Why it is not complete."""
    restarts: int
    """How often the kernel sent the walk back to the start."""
    duplicates_dropped: int
    """Elements read again after a restart and not sent again."""
    start_time: datetime
    """When the first element was read, by the host's clock."""
    end_time: datetime
    """When the last element was read, by the host's clock."""

    @staticmethod
    def of(message: map_service_pb2.DumpSummary) -> DumpSummary:
        """From the message."""
        return DumpSummary(
            sent=message.sent,
            scanned=message.scanned,
            complete=message.complete,
            incomplete_reason=IncompleteReason(message.incomplete_reason),
            restarts=message.restarts,
            duplicates_dropped=message.duplicates_dropped,
            start_time=time_of(message.start_time),
            end_time=time_of(message.end_time),
        )


@dataclass(frozen=True)
class LoadResult:
    """What a load did. The last four are None where the daemon did not look."""

    received: int
    """Elements received."""
    written: int
    """Elements written; 0 for a dry run."""
    added: Optional[int]
    """Elements that were not there before; known for replace and dry runs."""
    changed: Optional[int]
    """Elements whose value was another before; known as `added`."""
    unchanged: Optional[int]
    """Elements that were there with the same value; known as `added`."""
    removed: Optional[int]
    """Elements that were not in the load and were removed; known for replace."""

    @staticmethod
    def of(message: map_service_pb2.LoadMapResponse) -> LoadResult:
        """From the message."""
        return LoadResult(
            received=message.received,
            written=message.written,
            added=message.added if message.HasField("added") else None,
            changed=message.changed if message.HasField("changed") else None,
            unchanged=message.unchanged if message.HasField("unchanged") else None,
            removed=message.removed if message.HasField("removed") else None,
        )


@dataclass(frozen=True)
class Count:
    """How many elements a map has."""

    count: int
    """Elements, of those that the filter chooses. Those of arrays always exist."""
    max_entries: int
    """Most elements that the map can hold."""
    complete: bool
    """Whether every element that stood still meanwhile was counted."""


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An element that the kernel refused, of a call on several."""

    index: int
    """Position in the call, from 0."""
    item: T
    """The key, as the call gave it."""
    error: BpfmapError
    """Why; it can be raised."""


@dataclass(frozen=True)
class Applied(Generic[T]):
    """What became of a call that writes several elements."""

    applied: int
    """Elements done."""
    failures: Tuple[Failure[T], ...]
    """Elements refused, with on_error "continue"."""

    def raise_first(self) -> None:
        """Raises the error of the first refused element, if there is one."""
        if self.failures:
            raise self.failures[0].error


def host_info(message: Any) -> HostInfo:
    """From the answer of GetHost."""
    return HostInfo.of(message.host)
