"""Codec of dataclasses: the fields' annotations say how wide they are."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import (
    Annotated,
    Any,
    Callable,
    Dict,
    Generic,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Type,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from bpfmapd._codecs.codec import Bound, Buffer, Codec, Site
from bpfmapd._codecs.scalars import order_sign
from bpfmapd.errors import BpfmapError, invalid

_R = TypeVar("_R")


class Format(NamedTuple):
    """The width of a field: one letter of struct, after ">" where it is big-endian."""

    letter: str


u8 = Annotated[int, Format("B")]
"""An unsigned integer of 8 bits."""
u16 = Annotated[int, Format("H")]
"""An unsigned integer of 16 bits, in the host's byte order."""
u32 = Annotated[int, Format("I")]
"""An unsigned integer of 32 bits, in the host's byte order."""
u64 = Annotated[int, Format("Q")]
"""An unsigned integer of 64 bits, in the host's byte order."""
i8 = Annotated[int, Format("b")]
"""A signed integer of 8 bits."""
i16 = Annotated[int, Format("h")]
"""A signed integer of 16 bits, in the host's byte order."""
i32 = Annotated[int, Format("i")]
"""A signed integer of 32 bits, in the host's byte order."""
i64 = Annotated[int, Format("q")]
"""A signed integer of 64 bits, in the host's byte order."""
be16 = Annotated[int, Format(">H")]
"""An unsigned integer of 16 bits in network byte order, such as a port of a packet."""
be32 = Annotated[int, Format(">I")]
"""An unsigned integer of 32 bits in network byte order."""
be64 = Annotated[int, Format(">Q")]
"""An unsigned integer of 64 bits in network byte order."""
f32 = Annotated[float, Format("f")]
"""A float of 32 bits."""
f64 = Annotated[float, Format("d")]
"""A float of 64 bits."""


class Record(Codec[_R], Generic[_R]):
    """A dataclass laid out as a C compiler does: each field aligned to its own size.

    Fields are u8 to u64, i8 to i64, be16 to be64, f32, f64, bool, another such dataclass,
    IPv4Address or IPv6Address; Annotated[bytes, 16] is 16 bytes, Annotated[List[u32], 4] an
    array of four, Annotated[SomeEnum, u8] an enum of one byte. Padding is written as zeros.
    With `packed` nothing is aligned.
    """

    def __init__(self, kind: Type[_R], *, packed: bool = False) -> None:
        if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            raise invalid(f"{kind!r} is no dataclass")
        self._kind = kind
        self._packed = packed

    def bind(self, site: Site) -> Bound[_R]:
        layout = _layout_of(self._kind, order_sign(site.byte_order), self._packed)
        if layout.size != site.size:
            raise site.wrong_size(layout.size, f"{self._kind.__name__} ({layout.told()})")
        return _BoundRecord(site, layout)

    def natural_size(self) -> int:
        return _layout_of(self._kind, "<", self._packed).size


class _BoundRecord(Bound[Any]):
    def __init__(self, site: Site, layout: _Layout) -> None:
        self.size = site.size
        self._site = site
        self._layout = layout

    def encode(self, item: Any) -> bytes:
        try:
            data = bytearray(self.size)
            self._layout.write(item, data, 0)
            return bytes(data)
        except (struct.error, TypeError, ValueError, AttributeError) as error:
            raise self._site.refused(item, error) from None

    def decode(self, data: Buffer) -> Any:
        return self._layout.read(data, 0)

    def decode_column(self, column: bytes, count: int) -> Iterator[Any]:
        rows = self._layout.read_all(column)
        return rows if rows is not None else super().decode_column(column, count)

    def dtype(self) -> Any:
        return self._layout.dtype


class _Part(NamedTuple):
    """A field's bytes, whatever it is."""

    size: int
    align: int
    read: Callable[[Buffer, int], Any]
    write: Callable[[Any, bytearray, int], None]
    dtype: Any
    letter: str = ""
    """The struct letter with its byte order sign, where the field is a plain number."""


class _Field(NamedTuple):
    name: str
    offset: int
    part: _Part
    by_keyword: bool


class _Layout:
    """The fields of a dataclass, each at its offset."""

    def __init__(self, kind: type, fields: List[_Field], size: int, align: int) -> None:
        self.kind = kind
        self.fields = fields
        self.size = size
        self.align = align
        self._flat = self._flat_struct()

    def read(self, data: Buffer, at: int) -> Any:
        """The object whose bytes begin at `at`."""
        plain = []
        named: Dict[str, Any] = {}
        for field in self.fields:
            value = field.part.read(data, at + field.offset)
            if field.by_keyword:
                named[field.name] = value
            else:
                plain.append(value)
        return self.kind(*plain, **named)

    def write(self, item: Any, data: bytearray, at: int) -> None:
        """Writes the object's fields; what lies between them stays as it is."""
        if not isinstance(item, self.kind):
            raise TypeError(f"it is no {self.kind.__name__}")
        for field in self.fields:
            try:
                field.part.write(getattr(item, field.name), data, at + field.offset)
            except (struct.error, TypeError, ValueError) as error:
                raise ValueError(f"field {field.name}: {error}") from None

    def read_all(self, column: bytes) -> Optional[Iterator[Any]]:
        """The objects of a column in one sweep, where all fields are plain numbers."""
        if self._flat is None:
            return None
        kind = self.kind
        return (kind(*row) for row in self._flat.iter_unpack(column))

    @property
    def dtype(self) -> Any:
        """The layout as numpy has it."""
        return {
            "names": [field.name for field in self.fields],
            "formats": [field.part.dtype for field in self.fields],
            "offsets": [field.offset for field in self.fields],
            "itemsize": self.size,
        }

    def told(self) -> str:
        """The layout for people."""
        return ", ".join(f"{field.name} at {field.offset}" for field in self.fields)

    def _flat_struct(self) -> Optional[struct.Struct]:
        signs = {field.part.letter[:1] for field in self.fields}
        if len(signs) != 1 or "" in signs or any(field.by_keyword for field in self.fields):
            return None
        parts = [signs.pop()]
        end = 0
        for field in self.fields:
            parts.append(f"{field.offset - end}x{field.part.letter[1:]}")
            end = field.offset + field.part.size
        return struct.Struct("".join([*parts, f"{self.size - end}x"]))


def _layout_of(kind: type, sign: str, packed: bool) -> _Layout:
    hints = get_type_hints(kind, include_extras=True)
    fields: List[_Field] = []
    end, align = 0, 1
    for field in dataclasses.fields(kind):
        if not field.init:
            raise invalid(f"{kind.__name__}.{field.name}: a field of a value must be set by init")
        part = _part_of(hints[field.name], sign, packed, f"{kind.__name__}.{field.name}")
        step = 1 if packed else part.align
        offset = -(-end // step) * step
        fields.append(_Field(field.name, offset, part, getattr(field, "kw_only", False)))
        end, align = offset + part.size, max(align, step)
    if not fields:
        raise invalid(f"{kind.__name__} has no fields")
    return _Layout(kind, fields, -(-end // align) * align, align)


def _part_of(hint: Any, sign: str, packed: bool, where: str) -> _Part:
    base, notes = hint, []
    if get_origin(hint) is Annotated:
        base, *notes = get_args(hint)
    for note in notes:
        if isinstance(note, Format):
            return _number(note, sign)
        if isinstance(note, int):
            return _repeated(base, note, sign, packed, where)
        if get_origin(note) is Annotated and isinstance(base, type) and issubclass(base, enum.Enum):
            return _enum(base, _part_of(note, sign, packed, where))
    if base is bool:
        return _number(Format("?"), sign)
    if base in (IPv4Address, IPv6Address):
        return _address(base)
    if isinstance(base, type) and dataclasses.is_dataclass(base):
        layout = _layout_of(base, sign, packed)
        return _Part(layout.size, layout.align, layout.read, layout.write, layout.dtype)
    raise _no_width(where, hint)


def _no_width(where: str, hint: Any) -> BpfmapError:
    advice = {int: "u32, i64 or the like", float: "f32 or f64", bytes: "Annotated[bytes, 16]"}
    better = advice.get(hint, "a field of fixed size")
    return invalid(f"{where}: {getattr(hint, '__name__', hint)} has no width; write {better}")


def _number(format: Format, sign: str) -> _Part:
    letter = format.letter if format.letter[0] in "<>" else sign + format.letter
    packer = struct.Struct(letter)
    size = packer.size

    def read(data: Buffer, at: int) -> Any:
        return packer.unpack_from(data, at)[0]

    def write(item: Any, data: bytearray, at: int) -> None:
        packer.pack_into(data, at, item)

    kind = {"?": "b", "f": "f", "d": "f"}.get(letter[1], "u" if letter[1].isupper() else "i")
    return _Part(size, size, read, write, f"{letter[0]}{kind}{size}", letter)


def _enum(kind: Type[enum.Enum], part: _Part) -> _Part:
    def read(data: Buffer, at: int) -> Any:
        number = part.read(data, at)
        try:
            return kind(number)
        except ValueError:
            # What a program wrote is told as it is.
            return number

    def write(item: Any, data: bytearray, at: int) -> None:
        part.write(item.value if isinstance(item, enum.Enum) else item, data, at)

    return _Part(part.size, part.align, read, write, part.dtype)


def _address(kind: Any) -> _Part:
    size = kind(0).max_prefixlen // 8

    def read(data: Buffer, at: int) -> Any:
        return kind(bytes(data[at : at + size]))

    def write(item: Any, data: bytearray, at: int) -> None:
        data[at : at + size] = kind(item).packed

    # The kernel's __be32 and struct in6_addr are both aligned to four bytes.
    return _Part(size, 4, read, write, ("u1", (size,)))


def _repeated(base: Any, count: int, sign: str, packed: bool, where: str) -> _Part:
    if base is bytes:
        return _bytes(count)
    items = get_args(base)
    if get_origin(base) not in (list, tuple) or not items:
        raise _no_width(where, base)
    one = _part_of(items[0], sign, packed, where)
    make = get_origin(base)

    def read(data: Buffer, at: int) -> Any:
        return make(one.read(data, at + index * one.size) for index in range(count))

    def write(item: Any, data: bytearray, at: int) -> None:
        if len(item) != count:
            raise ValueError(f"{len(item)} items for {count}")
        for index, each in enumerate(item):
            one.write(each, data, at + index * one.size)

    return _Part(one.size * count, one.align, read, write, (one.dtype, (count,)))


def _bytes(count: int) -> _Part:
    def read(data: Buffer, at: int) -> Any:
        return bytes(data[at : at + count])

    def write(item: Any, data: bytearray, at: int) -> None:
        if len(item) != count:
            raise ValueError(f"{len(item)} bytes for {count}")
        data[at : at + count] = item

    return _Part(count, 1, read, write, ("u1", (count,)))


def is_ctypes(kind: object) -> bool:
    """Whether it is a structure, union or array of ctypes."""
    return isinstance(kind, type) and issubclass(
        kind, (ctypes.Structure, ctypes.Union, ctypes.Array)
    )
