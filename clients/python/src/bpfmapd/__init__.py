"""The eBPF maps of a Linux host, through the daemon bpfmapd.

    import bpfmapd

    with bpfmapd.connect() as client:
        hits = client.map(held="hits", key=int, value=int)
        hits[7] = 42
        for key, value in hits:
            print(key, value)

bpfmapd.aio has the same for asyncio. Errors are BpfmapError and its classes
(bpfmapd.errors); how bytes become objects is in bpfmapd.codecs; what a watch yields in
bpfmapd.events, what a ring buffer in bpfmapd.records; kernel objects in bpfmapd.objects.
"""

from bpfmapd._channel import Tls
from bpfmapd._dump import Chunk, DumpProgress
from bpfmapd._sync_dump import Dump
from bpfmapd._sync_records import RecordStream
from bpfmapd._sync_watch import Watch
from bpfmapd._version import __version__
from bpfmapd.aggregates import Aggregate, Histogram, KeyNumber, Number, NumberTotals, Top
from bpfmapd.client import Client, connect
from bpfmapd.codecs import (
    Codec,
    Custom,
    Int,
    Json,
    KernelObject,
    PerCpu,
    Record,
    Struct,
    be16,
    be32,
    be64,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)
from bpfmapd.columns import Columns
from bpfmapd.enums import CpuFold, CreateFlag, LoadStrategy, MapType, UpdateMode
from bpfmapd.errors import (
    BpfmapError,
    InvalidArgument,
    KeyExists,
    KeyNotFound,
    MapFull,
    MapNotFound,
    NotFound,
    NotSupported,
    PermissionDenied,
    SizeMismatch,
    Unavailable,
)
from bpfmapd.events import Bookmark, Created, Delete, Event, Gone, Put, Resync, Synced
from bpfmapd.filters import Filter, Order, WatchFilter, Where
from bpfmapd.info import (
    Applied,
    Count,
    DumpSummary,
    Failure,
    Hold,
    HostInfo,
    LoadResult,
    MapInfo,
    MapTypeCapabilities,
)
from bpfmapd.map import Map
from bpfmapd.records import RecordBatch, RecordEvent, RecordsLost, RecordsStarted
from bpfmapd.schema import Schema, Typing

__all__ = [
    "Aggregate",
    "Applied",
    "Bookmark",
    "BpfmapError",
    "Chunk",
    "Client",
    "Codec",
    "Columns",
    "Count",
    "CpuFold",
    "CreateFlag",
    "Created",
    "Custom",
    "Delete",
    "Dump",
    "DumpProgress",
    "DumpSummary",
    "Event",
    "Failure",
    "Filter",
    "Gone",
    "Histogram",
    "Hold",
    "HostInfo",
    "Int",
    "InvalidArgument",
    "Json",
    "KernelObject",
    "KeyExists",
    "KeyNotFound",
    "KeyNumber",
    "LoadResult",
    "LoadStrategy",
    "Map",
    "MapFull",
    "MapInfo",
    "MapNotFound",
    "MapType",
    "MapTypeCapabilities",
    "NotFound",
    "NotSupported",
    "Number",
    "NumberTotals",
    "Order",
    "PerCpu",
    "PermissionDenied",
    "Put",
    "Record",
    "RecordBatch",
    "RecordEvent",
    "RecordStream",
    "RecordsLost",
    "RecordsStarted",
    "Resync",
    "Schema",
    "SizeMismatch",
    "Struct",
    "Synced",
    "Tls",
    "Top",
    "Typing",
    "Unavailable",
    "UpdateMode",
    "Watch",
    "WatchFilter",
    "Where",
    "__version__",
    "be16",
    "be32",
    "be64",
    "connect",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "u8",
    "u16",
    "u32",
    "u64",
]
