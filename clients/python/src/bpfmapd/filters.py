"""Filters: which elements of a map to dump, count or watch. They work on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Optional, Sequence, TypeVar, Union

from bpfmapd._choices import choice
from bpfmapd._codecs.codec import Bound, Form
from bpfmapd._codecs.typed_json import text_of
from bpfmapd._gen.bpfmap.v1.element_pb2 import (
    ElementFilter,
    ElementOrder,
    FieldCondition,
    KeyRange,
    ValueMatch,
)
from bpfmapd._gen.bpfmap.v1.watch_pb2 import WatchFilter as WatchFilterMessage
from bpfmapd.enums import Comparison, FieldFold
from bpfmapd.errors import invalid

__all__ = ["Filter", "Order", "WatchFilter", "Where"]

K = TypeVar("K")

KeyOrBytes = Union[K, bytes]


_COMPARISONS = {
    "==": Comparison.EQUAL,
    "!=": Comparison.NOT_EQUAL,
    "<": Comparison.LESS,
    "<=": Comparison.LESS_OR_EQUAL,
    ">": Comparison.GREATER,
    ">=": Comparison.GREATER_OR_EQUAL,
}


@dataclass(frozen=True)
class Where:
    """Compares a field of each element with a constant, by the map's types or those of the
    handle's `typing`: Where("value.bytes", ">", 1000)."""

    field: str
    """Path: "key" or "value", then members and indices, such as "key.addr[3]"."""
    comparison: Union[Comparison, str]
    """A Comparison, or one of == != < <= > >=."""
    constant: Any
    """A number, an enumeration's name, or a bool."""
    fold: Union[FieldFold, str] = FieldFold.SUM
    """How the slots of a per-CPU value become one: "sum", "min" or "max"."""

    def message(self) -> FieldCondition:
        """The condition of a request."""
        comparison = self.comparison
        made = _COMPARISONS.get(comparison) if isinstance(comparison, str) else comparison
        if made is None:
            raise invalid(f"{comparison!r} is none of {' '.join(_COMPARISONS)}", "comparison")
        return FieldCondition(
            field=self.field,
            comparison=made.wire,
            json_value=text_of(self.constant, "value"),
            fold=choice(FieldFold, self.fold, "fold").wire,
        )


@dataclass(frozen=True)
class Order:
    """The first elements in the order of a field, by types as Where."""

    field: str
    """Path, as of Where."""
    limit: int
    """How many elements to send: up to 100000."""
    descending: bool = False
    """Greatest first."""
    fold: Union[FieldFold, str] = FieldFold.SUM
    """How the slots of a per-CPU value become one: "sum", "min" or "max"."""

    def message(self) -> ElementOrder:
        """The order of a request."""
        return ElementOrder(
            field=self.field,
            descending=self.descending,
            fold=choice(FieldFold, self.fold, "fold").wire,
            limit=self.limit,
        )


@dataclass(frozen=True)
class Filter(Generic[K]):
    """Which elements to dump or count. All parts that are given must hold.

    Keys are compared byte by byte as unsigned numbers, indices of arrays as numbers.
    """

    key_prefix: Optional[bytes] = None
    """Only keys that start with these bytes."""
    start: Optional[KeyOrBytes[K]] = None
    """First key inside the range, as the handle's codec takes it or as bytes."""
    end: Optional[KeyOrBytes[K]] = None
    """First key past the range, as `start`."""
    value_mask: Optional[bytes] = None
    """Only values where (value AND value_mask) equals (value_match AND value_mask)."""
    value_match: Optional[bytes] = None
    """As many bytes as `value_mask`."""
    where: Sequence[Where] = ()
    """Only elements whose fields are as every one of these says."""

    def message(self, key: Bound[K]) -> ElementFilter:
        """The filter of a request."""
        made = ElementFilter(key_prefix=self.key_prefix)
        set_range(made, self.start, self.end, key)
        if self.value_mask is not None:
            match = self.value_match if self.value_match is not None else self.value_mask
            made.value_match.CopyFrom(ValueMatch(mask=self.value_mask, match=match))
        made.fields.extend(each.message() for each in self.where)
        return made


@dataclass(frozen=True)
class WatchFilter(Generic[K]):
    """Which elements to watch. All parts that are given must hold."""

    keys: Optional[Sequence[KeyOrBytes[K]]] = None
    """Only these keys, at most 65536 of them."""
    key_prefix: Optional[bytes] = None
    """Only keys that start with these bytes."""
    start: Optional[KeyOrBytes[K]] = None
    """First key inside the range, as the handle's codec takes it or as bytes."""
    end: Optional[KeyOrBytes[K]] = None
    """First key past the range, as `start`."""
    covered_by: Optional[KeyOrBytes[K]] = None
    """For LPM_TRIE only: only prefixes that this key covers, itself included."""

    def message(self, key: Bound[K]) -> WatchFilterMessage:
        """The filter of a request."""
        made = WatchFilterMessage(key_prefix=self.key_prefix)
        if self.keys is not None:
            made.keys = b"".join(key_bytes(each, key) for each in self.keys)
        if self.covered_by is not None:
            made.covered_by = key_bytes(self.covered_by, key)
        set_range(made, self.start, self.end, key)
        return made


def set_range(made: Any, start: Any, end: Any, key: Bound[Any]) -> None:
    """Sets key_range of a filter message where there is one."""
    if start is None and end is None:
        return
    made.key_range.CopyFrom(
        KeyRange(
            start=None if start is None else key_bytes(start, key),
            end=None if end is None else key_bytes(end, key),
        )
    )


def key_bytes(given: Any, key: Bound[Any]) -> bytes:
    """The bytes of a key, which are also taken as they are."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    if key.form is not Form.BYTES:
        raise invalid(f"{given!r}: keys of filters are bytes where the handle has no codec of them")
    return key.encode(given)
