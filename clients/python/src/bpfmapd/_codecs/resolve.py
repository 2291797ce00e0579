"""From what callers give for a codec to the codec."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Callable, Dict, Generic, TypeVar

from bpfmapd._codecs.codec import Bound, Buffer, Codec, Site
from bpfmapd._codecs.kernel_object import KernelObject
from bpfmapd._codecs.records import Record, is_ctypes
from bpfmapd._codecs.scalars import Int, IPAddress, IPNetwork, Raw
from bpfmapd._codecs.structs import CStructure, Struct
from bpfmapd._codecs.typed_json import Json
from bpfmapd.errors import invalid

T = TypeVar("T")


class Custom(Codec[T], Generic[T]):
    """A codec of two functions: `encode` gives exactly as many bytes as `decode` takes."""

    def __init__(self, encode: Callable[[T], bytes], decode: Callable[[bytes], T]) -> None:
        self._encode = encode
        self._decode = decode

    def bind(self, site: Site) -> Bound[T]:
        return _BoundCustom(site, self._encode, self._decode)


class _BoundCustom(Bound[T]):
    def __init__(
        self, site: Site, encode: Callable[[T], bytes], decode: Callable[[bytes], T]
    ) -> None:
        self.size = site.size
        self._site = site
        self._encode = encode
        self._decode = decode

    def encode(self, item: T) -> bytes:
        data = self._encode(item)
        if len(data) != self.size:
            raise self._site.wrong_size(len(data), repr(item))
        return data

    def decode(self, data: Buffer) -> T:
        return self._decode(bytes(data))


# No formats of struct.
_NAMED: Dict[str, Callable[[], Codec[Any]]] = {"json": Json, "object": KernelObject}


def codec_of(given: Any) -> Codec[Any]:
    """The codec that an argument stands for; InvalidArgument where it is none."""
    if isinstance(given, Codec):
        return given
    if isinstance(given, str):
        named = _NAMED.get(given)
        return Struct(given) if named is None else named()
    if given is bytes:
        return Raw()
    if given is int:
        return Int()
    if given in (IPv4Address, IPv6Address):
        return IPAddress(given)
    if given in (IPv4Network, IPv6Network):
        return IPNetwork(given)
    if is_ctypes(given):
        return CStructure(given)
    if isinstance(given, type) and dataclasses.is_dataclass(given):
        return Record(given)
    raise invalid(
        f"{given!r} says nothing about bytes: give bytes, int, a struct format, a dataclass, "
        'a ctypes structure, a type of ipaddress, "json", "object" or a Codec'
    )
