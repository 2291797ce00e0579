"""Codecs of bytes, integers and addresses."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Dict, Generic, Iterator, Tuple, Type, TypeVar, Union

from bpfmapd._codecs.codec import Bound, Buffer, Codec, Site
from bpfmapd.errors import ProtocolError, invalid

_Address = TypeVar("_Address", bound=Union[IPv4Address, IPv6Address])
_Network = TypeVar("_Network", bound=Union[IPv4Network, IPv6Network])

_LETTERS: Dict[Tuple[int, bool], str] = {
    (1, False): "B",
    (2, False): "H",
    (4, False): "I",
    (8, False): "Q",
    (1, True): "b",
    (2, True): "h",
    (4, True): "i",
    (8, True): "q",
}


def order_sign(byte_order: str) -> str:
    """What struct and numpy call a byte order."""
    return "<" if byte_order == "little" else ">"


class Raw(Codec[bytes]):
    """Bytes as they are."""

    def bind(self, site: Site) -> Bound[bytes]:
        return _BoundRaw(site)

    def unbound(self, column: str) -> Bound[bytes]:
        return _AnySize(column)


class _BoundRaw(Bound[bytes]):
    def __init__(self, site: Site) -> None:
        self.size = site.size
        self._site = site

    def encode(self, item: Buffer) -> bytes:
        if not isinstance(item, (bytes, bytearray, memoryview)):
            raise self._site.refused(item, "it is not bytes")
        data = bytes(item)
        if len(data) != self.size:
            raise self._site.wrong_size(len(data), repr(item))
        return data

    def decode(self, data: Buffer) -> bytes:
        return bytes(data)

    def decode_column(self, column: bytes, count: int) -> Iterator[bytes]:
        size = self.size
        for offset in range(0, count * size, size):
            yield column[offset : offset + size]


class _AnySize(Bound[bytes]):
    """Bytes of a map whose sizes nobody has asked for: the daemon checks them."""

    size = 0

    def __init__(self, column: str) -> None:
        self._column = column

    def encode(self, item: Buffer) -> bytes:
        if not isinstance(item, (bytes, bytearray, memoryview)):
            raise invalid(
                f"{self._column} are bytes unless the handle has a codec; {item!r} is none",
                self._column,
            )
        return bytes(item)

    def decode(self, data: Buffer) -> bytes:
        return bytes(data)

    def decode_column(self, column: bytes, count: int) -> Iterator[bytes]:
        size = len(column) // count if count else 0
        if size * count != len(column):
            raise ProtocolError(f"the daemon sent {len(column)} bytes for {count} elements")
        for index in range(count):
            yield column[index * size : (index + 1) * size]


class Int(Codec[int]):
    """An integer of the whole key or value, in the host's byte order."""

    def __init__(self, *, signed: bool = False) -> None:
        self._signed = signed

    def bind(self, site: Site) -> Bound[int]:
        return _BoundInt(site, self._signed)


class _BoundInt(Bound[int]):
    def __init__(self, site: Site, signed: bool) -> None:
        self.size = site.size
        self._site = site
        self._signed = signed
        self._order: Any = site.byte_order
        self._letter = _LETTERS.get((site.size, signed))

    def encode(self, item: int) -> bytes:
        try:
            return int.__index__(item).to_bytes(self.size, self._order, signed=self._signed)
        except (OverflowError, TypeError) as error:
            raise self._site.refused(item, error) from None

    def decode(self, data: Buffer) -> int:
        return int.from_bytes(data, self._order, signed=self._signed)

    def decode_column(self, column: bytes, count: int) -> Iterator[int]:
        if self._letter is None:
            yield from super().decode_column(column, count)
        else:
            yield from struct.unpack(f"{order_sign(self._order)}{count}{self._letter}", column)

    def dtype(self) -> Any:
        if self._letter is None:
            return super().dtype()
        return f"{order_sign(self._order)}{'i' if self._signed else 'u'}{self.size}"


class IPAddress(Codec[_Address], Generic[_Address]):
    """An address in network byte order: 4 or 16 bytes."""

    def __init__(self, kind: Type[_Address]) -> None:
        self._kind: Any = kind

    def bind(self, site: Site) -> Bound[_Address]:
        if site.size != self.natural_size():
            raise site.wrong_size(self.natural_size(), self._kind.__name__)
        return _BoundAddress(site, self._kind)

    def natural_size(self) -> int:
        size: int = self._kind(0).max_prefixlen // 8
        return size


class _BoundAddress(Bound[_Address]):
    def __init__(self, site: Site, kind: Type[_Address]) -> None:
        self.size = site.size
        self._site = site
        self._kind: Any = kind

    def encode(self, item: Union[_Address, str]) -> bytes:
        try:
            data: bytes = self._kind(item).packed
            return data
        except ValueError as error:
            raise self._site.refused(item, error) from None

    def decode(self, data: Buffer) -> _Address:
        address: _Address = self._kind(bytes(data))
        return address


class IPNetwork(Codec[_Network], Generic[_Network]):
    """A key of an LPM_TRIE: u32 prefix length in the host's byte order, then the address."""

    def __init__(self, kind: Type[_Network]) -> None:
        self._kind: Any = kind

    def bind(self, site: Site) -> Bound[_Network]:
        if site.size != self.natural_size():
            by = f"{self._kind.__name__} (prefix length and address)"
            raise site.wrong_size(self.natural_size(), by)
        return _BoundNetwork(site, self._kind)

    def natural_size(self) -> int:
        size: int = 4 + self._kind(0).max_prefixlen // 8
        return size


class _BoundNetwork(Bound[_Network]):
    def __init__(self, site: Site, kind: Type[_Network]) -> None:
        self.size = site.size
        self._site = site
        self._kind: Any = kind
        self._order: Any = site.byte_order

    def encode(self, item: Union[_Network, str]) -> bytes:
        try:
            network = self._kind(item)
        except ValueError as error:
            raise self._site.refused(item, error) from None
        prefix: bytes = network.prefixlen.to_bytes(4, self._order)
        return prefix + bytes(network.network_address.packed)

    def decode(self, data: Buffer) -> _Network:
        length = int.from_bytes(data[:4], self._order)
        # Programs may store keys with bits set past their prefix.
        network: _Network = self._kind((bytes(data[4:]), length), strict=False)
        return network
