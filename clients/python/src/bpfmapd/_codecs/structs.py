"""Codecs of struct formats and ctypes structures."""

from __future__ import annotations

import ctypes
import re
import struct
import sys
from typing import Any, Generic, Iterator, List, Type, TypeVar, Union

from bpfmapd._codecs.codec import Bound, Buffer, Codec, Site
from bpfmapd._codecs.scalars import order_sign
from bpfmapd.errors import invalid

CTypes = Union[ctypes.Structure, ctypes.Union, "ctypes.Array[Any]"]

_C = TypeVar("_C", bound=CTypes)

_ITEM = re.compile(r"\s*(\d*)([xcbB?hHiIlLqQnNefdspP])")
_KINDS = {
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("BHILQNP", "u"),
    **dict.fromkeys("efd", "f"),
    "?": "b",
}


class Struct(Codec[Any]):
    """A format of the struct module.

    Without a byte order sign, numbers are in the host's byte order and nothing is aligned:
    write padding as x. One field decodes to its value, several to a tuple.
    """

    def __init__(self, format: str) -> None:
        self._format = format
        try:
            struct.calcsize(format)
        except struct.error as error:
            raise invalid(f"{format!r} is not a format of struct: {error}") from None

    def bind(self, site: Site) -> Bound[Any]:
        sign, fields = self._format[:1], self._format[1:]
        if sign not in ("<", ">", "!", "=", "@"):
            sign, fields = order_sign(site.byte_order), self._format
        if sign in ("=", "@") and site.byte_order != sys.byteorder:
            raise invalid(
                f"{self._format!r} is in this machine's byte order, and the host's is "
                f"{site.byte_order}-endian: leave out {sign!r}"
            )
        return BoundStruct(site, sign, fields, f"format {self._format!r}")

    def natural_size(self) -> int:
        if self._format[:1] in ("<", ">", "!", "=", "@"):
            return struct.calcsize(self._format)
        return struct.calcsize(f"<{self._format}")


class BoundStruct(Bound[Any]):
    """A format with its byte order."""

    def __init__(self, site: Site, sign: str, fields: str, by: str) -> None:
        self._struct = struct.Struct(sign + fields)
        self.size = self._struct.size
        if self.size != site.size:
            raise site.wrong_size(self.size, by)
        self._site = site
        self._sign = sign
        self._fields = fields
        self._single = len(self._struct.unpack(bytes(self.size))) == 1

    def encode(self, item: Any) -> bytes:
        try:
            return self._struct.pack(item) if self._single else self._struct.pack(*item)
        except (struct.error, TypeError) as error:
            raise self._site.refused(item, error) from None

    def decode(self, data: Buffer) -> Any:
        values = self._struct.unpack(data)
        return values[0] if self._single else values

    def decode_column(self, column: bytes, count: int) -> Iterator[Any]:
        rows = self._struct.iter_unpack(column)
        return (row[0] for row in rows) if self._single else rows

    def dtype(self) -> Any:
        formats: List[Any] = []
        offsets: List[int] = []
        end = ""
        for repeat, letter in _ITEM.findall(self._fields):
            times = 1 if letter in "sp" else int(repeat or 1)
            for _ in range(times):
                size = struct.calcsize(f"{self._sign}{repeat if letter in 'sp' else ''}{letter}")
                end += f"{repeat if letter in 'sp' else ''}{letter}"
                if letter != "x":
                    formats.append(self._item_dtype(letter, size))
                    offsets.append(struct.calcsize(self._sign + end) - size)
        if self._single and offsets == [0] and struct.calcsize(self._sign + end) == self.size:
            return formats[0]
        names = [f"f{index}" for index in range(len(formats))]
        return {"names": names, "formats": formats, "offsets": offsets, "itemsize": self.size}

    def _item_dtype(self, letter: str, size: int) -> Any:
        kind = _KINDS.get(letter)
        if kind is None:
            return ("u1", (size,))
        native = order_sign(sys.byteorder)
        sign = {"!": ">", "=": native, "@": native}.get(self._sign, self._sign)
        return f"{sign}{kind}{size}"


class CStructure(Codec[_C], Generic[_C]):
    """A structure, union or array of ctypes, with the layout that it has there."""

    def __init__(self, kind: Type[_C]) -> None:
        self._kind = kind

    def bind(self, site: Site) -> Bound[_C]:
        kind = self._kind
        # ctypes marks structures whose byte order is not this machine's.
        swapped = hasattr(kind, "_swappedbytes_")
        if site.byte_order != sys.byteorder and not swapped:
            raise invalid(
                f"{kind.__name__} is in this machine's byte order, and the host's is "
                f"{site.byte_order}-endian: derive it from "
                f"ctypes.{site.byte_order.capitalize()}EndianStructure"
            )
        if ctypes.sizeof(kind) != site.size:
            raise site.wrong_size(ctypes.sizeof(kind), kind.__name__)
        return _BoundCStructure(site, kind)

    def natural_size(self) -> int:
        return ctypes.sizeof(self._kind)


class _BoundCStructure(Bound[_C]):
    def __init__(self, site: Site, kind: Type[_C]) -> None:
        self.size = site.size
        self._site = site
        self._kind = kind

    def encode(self, item: _C) -> bytes:
        if not isinstance(item, self._kind):
            raise self._site.refused(item, f"it is no {self._kind.__name__}")
        return bytes(item)

    def decode(self, data: Buffer) -> _C:
        kind: Any = self._kind
        item: _C = kind.from_buffer_copy(data)
        return item

    def dtype(self) -> Any:
        return self._kind
