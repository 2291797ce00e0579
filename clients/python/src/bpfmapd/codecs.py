"""Codecs: how the bytes of keys and values become Python objects.

Wherever a codec is asked for, these stand for one: `bytes`, `int` (unsigned, host's byte
order), a struct format such as "IHH", a dataclass with fields of fixed size, a ctypes
structure, IPv4Address, IPv6Address, IPv4Network or IPv6Network for the keys of an LPM_TRIE,
"json" for plain values of the map's types (Json), and "object" for kernel objects
(KernelObject).
"""

from bpfmapd._codecs.codec import Bound, Codec, CodecLike, Site
from bpfmapd._codecs.kernel_object import KernelObject
from bpfmapd._codecs.per_cpu import PerCpu
from bpfmapd._codecs.records import (
    Format,
    Record,
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
from bpfmapd._codecs.resolve import Custom
from bpfmapd._codecs.scalars import Int, IPAddress, IPNetwork, Raw
from bpfmapd._codecs.structs import CStructure, Struct
from bpfmapd._codecs.typed_json import Json

__all__ = [
    "Bound",
    "CStructure",
    "Codec",
    "CodecLike",
    "Custom",
    "Format",
    "IPAddress",
    "IPNetwork",
    "Int",
    "Json",
    "KernelObject",
    "PerCpu",
    "Raw",
    "Record",
    "Site",
    "Struct",
    "be16",
    "be32",
    "be64",
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
