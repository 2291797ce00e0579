"""Aggregates: numbers of all elements of a map, folded on the host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Optional, Sequence, Tuple, TypeVar, Union

from bpfmapd._choices import choice
from bpfmapd._codecs.codec import Bound, Form
from bpfmapd._columns import decoded
from bpfmapd._gen.bpfmap.v1 import aggregate_pb2 as pb
from bpfmapd._messages import time_of
from bpfmapd.enums import FieldFold, NumberType
from bpfmapd.errors import ProtocolError, invalid

__all__ = ["Aggregate", "Histogram", "KeyNumber", "Number", "NumberTotals", "Top"]

K = TypeVar("K")


@dataclass(frozen=True)
class Number:
    """A whole number in each element: Number("value.bytes") by the map's types or those of the
    handle's `typing`, Number(offset=8, type="U64") by its place in the value."""

    path: Optional[str] = None
    """ "key" or "value", then members and indices."""
    offset: int = 0
    """Bytes from the start of the value, of one CPU's value for per-CPU maps."""
    type: Union[NumberType, str, None] = None
    """What stands there, such as "U64"."""
    fold: Union[FieldFold, str] = FieldFold.SUM
    """How the slots of a per-CPU value become one: "sum", "min" or "max"."""
    histogram: bool = False
    """Tell how the numbers are spread."""

    def message(self) -> pb.NumberField:
        """The field of a request."""
        fold = choice(FieldFold, self.fold, "fold").wire
        if self.path is not None:
            return pb.NumberField(path=self.path, fold=fold, histogram=self.histogram)
        if self.type is None:
            raise invalid("a number needs a path, or an offset and a type", "fields")
        raw = pb.RawNumber(offset=self.offset, type=choice(NumberType, self.type, "type").wire)
        return pb.NumberField(raw=raw, fold=fold, histogram=self.histogram)


@dataclass(frozen=True)
class Top:
    """Asks for the keys with the greatest numbers."""

    limit: int
    """How many keys: up to 10000."""
    field: int = 0
    """Whose numbers: place among the fields, from 0."""


@dataclass(frozen=True)
class Histogram:
    """How many numbers are how large, by powers of two."""

    negative: int
    """Numbers below 0."""
    buckets: Tuple[int, ...]
    """How many are 0, then how many are in [1, 2), [2, 4), [4, 8) and so on."""


@dataclass(frozen=True)
class NumberTotals:
    """What numbers come to, exactly."""

    count: int
    """How many numbers these are."""
    sum: int
    """Their sum; 0 for none."""
    min: Optional[int]
    """The least; None for none."""
    max: Optional[int]
    """The greatest; None for none."""
    histogram: Optional[Histogram]
    """How they are spread, where asked for."""


@dataclass(frozen=True)
class KeyNumber(Generic[K]):
    """A key and its number."""

    key: K
    """The key; of kernel objects, the bytes that the kernel told."""
    number: int
    """Its number."""


@dataclass(frozen=True)
class Aggregate(Generic[K]):
    """What a map's numbers come to."""

    boot_id: str
    """Boot of the host: with `map_id`, which map this is about."""
    map_id: int
    """Id of the map. Another one is another map, whose counters began anew."""
    elements: int
    """Elements that were folded."""
    complete: bool
    """Whether every element that stood still meanwhile was folded once."""
    read_started: datetime
    """When reading began, by the host's clock."""
    read_finished: datetime
    """When reading ended."""
    totals: Tuple[NumberTotals, ...]
    """What each field comes to, in the order of the fields."""
    top: Tuple[KeyNumber[K], ...]
    """The keys with the greatest numbers, by descending numbers; empty unless asked for."""
    others_max: Optional[int]
    """The greatest number of the elements that are not in `top`; None for none."""

    @staticmethod
    def of(message: pb.AggregateElementsResponse, codec: Bound[Any]) -> Aggregate[Any]:
        """From the message."""
        return Aggregate(
            boot_id=message.boot_id,
            map_id=message.map_id,
            elements=message.elements,
            complete=message.complete,
            read_started=time_of(message.read_started),
            read_finished=time_of(message.read_finished),
            totals=tuple(totals_of(each) for each in message.totals),
            top=tuple(
                KeyNumber(key, int(number))
                for key, number in zip(_keys(message.top, codec), message.top.numbers)
            ),
            others_max=number_or_none(message.top.others_max),
        )


def number_of(field: Union[Number, str]) -> pb.NumberField:
    """The field of a request; a text is a path."""
    return (Number(field) if isinstance(field, str) else field).message()


def totals_of(message: pb.NumberTotals) -> NumberTotals:
    """From the message."""
    histogram = None
    if message.HasField("histogram"):
        told = message.histogram
        histogram = Histogram(told.negative, tuple(told.buckets))
    return NumberTotals(
        count=message.count,
        sum=int(message.sum),
        min=number_or_none(message.min),
        max=number_or_none(message.max),
        histogram=histogram,
    )


def number_or_none(decimal: str) -> Optional[int]:
    """A number in decimal; None for an empty text."""
    return int(decimal) if decimal else None


def _keys(top: pb.TopKeys, codec: Bound[Any]) -> Sequence[Any]:
    if codec.form is Form.JSON:
        return [decoded(codec, text, "keys") for text in top.json_keys]
    size, rest = divmod(len(top.keys), max(top.count, 1))
    if rest or len(top.numbers) != top.count:
        raise ProtocolError(f"the daemon sent {len(top.keys)} bytes for {top.count} keys")
    parts = [top.keys[index * size : (index + 1) * size] for index in range(top.count)]
    if codec.form is Form.OBJECTS:
        return parts
    return [decoded(codec, part, "keys") for part in parts]
