"""The unary calls on a map, without the sending: a request, and how to read its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from bpfmapd._binding import Binding, View, format_of
from bpfmapd._codecs.codec import Form
from bpfmapd._columns import (
    column_of,
    decoded,
    failures_of,
    pack_elements,
    unpack_values,
    values_found,
)
from bpfmapd._gen.bpfmap.v1 import map_service_pb2 as pb
from bpfmapd._gen.bpfmap.v1.aggregate_pb2 import AggregateElementsRequest, TopKeysRequest
from bpfmapd._gen.bpfmap.v1.element_pb2 import ElementFilter
from bpfmapd._gen.bpfmap.v1.map_pb2 import HoldSpec, MapRef
from bpfmapd._gen.bpfmap.v1.schema_pb2 import GetMapSchemaRequest
from bpfmapd._messages import Seconds, duration_of
from bpfmapd._ref import told
from bpfmapd.aggregates import Aggregate, Number, Top, number_of
from bpfmapd.enums import OnError, UpdateMode
from bpfmapd.errors import KeyNotFound, invalid
from bpfmapd.filters import Filter
from bpfmapd.info import Applied, Count, MapInfo
from bpfmapd.schema import Schema, Typing, typing_message

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A unary call of MapService."""

    method: str
    request: Any
    parse: Callable[[Any], T]


def _nothing(_: Any) -> None:
    return None


def info(
    ref: MapRef,
    pins: bool = False,
    holders: bool = False,
    programs: bool = False,
    inner_map: bool = False,
) -> Operation[MapInfo]:
    """GetMap."""
    detail = pb.MapDetail(pins=pins, holders=holders, programs=programs, inner_map=inner_map)
    request = pb.GetMapRequest(map=ref, detail=detail)
    return Operation("GetMap", request, lambda answer: MapInfo.of(answer.map))


@dataclass(frozen=True)
class Elements(Generic[K, V]):
    """The calls on the elements of one map, through its codecs."""

    ref: MapRef
    binding: Binding[K, V]
    view: View
    typing: Optional[Typing]

    def lookup(self, key: K, lock: bool) -> Operation[V]:
        """LookupElements of one key; KeyNotFound where it is not there."""
        keys, count = self._keys([key])
        request = pb.LookupElementsRequest(
            map=self.ref,
            **keys,
            count=count,
            cpu_view=self.view.reading(),
            lock=lock,
            format=format_of(self.binding.value.form).wire,
            typing=typing_message(self.typing),
        )
        return Operation("LookupElements", request, lambda answer: self._found(answer, 1)[0])

    def lookup_many(self, keys: Iterable[K], lock: bool) -> Operation[List[Optional[V]]]:
        """LookupElements of several keys; None for those that are not there."""
        columns, count = self._keys(keys)
        request = pb.LookupElementsRequest(
            map=self.ref,
            **columns,
            count=count,
            cpu_view=self.view.reading(),
            lock=lock,
            on_error=OnError.CONTINUE.wire,
            format=format_of(self.binding.value.form).wire,
            typing=typing_message(self.typing),
        )
        return Operation("LookupElements", request, lambda answer: self._some(answer, count))

    def update(
        self, pairs: Sequence[Tuple[K, V]], mode: UpdateMode, lock: bool, on_error: OnError
    ) -> Operation[Applied[K]]:
        """UpdateElements."""
        request = pb.UpdateElementsRequest(
            map=self.ref,
            elements=pack_elements(pairs, self.binding),
            mode=mode.wire,
            cpu_target=self.view.writing(),
            lock=lock,
            on_error=on_error.wire,
            typing=typing_message(self.typing),
        )
        keys = [key for key, _ in pairs]
        return Operation("UpdateElements", request, lambda answer: self._applied(answer, keys))

    def delete(self, keys: Sequence[K], on_error: OnError) -> Operation[Applied[K]]:
        """DeleteElements."""
        columns, count = self._keys(keys)
        request = pb.DeleteElementsRequest(
            map=self.ref,
            **columns,
            count=count,
            on_error=on_error.wire,
            typing=typing_message(self.typing),
        )
        return Operation("DeleteElements", request, lambda answer: self._applied(answer, keys))

    def take(self, key: K) -> Operation[V]:
        """TakeElements of one key; KeyNotFound where it is not there."""
        self.refuse_view("take")
        request = self._take_request([key], OnError.STOP)
        return Operation("TakeElements", request, lambda answer: self._found(answer, 1)[0])

    def take_many(self, keys: Iterable[K]) -> Operation[List[Optional[V]]]:
        """TakeElements of several keys; None for those that are not there."""
        self.refuse_view("take")
        request = self._take_request(keys, OnError.CONTINUE)
        count = request.count
        return Operation("TakeElements", request, lambda answer: self._some(answer, count))

    def next_key(self, key: Optional[K]) -> Operation[K]:
        """NextKey; KeyNotFound after the last."""
        codec = self.binding.key
        given: Any = {} if key is None else {codec.form.field("key"): codec.encode(key)}
        request = pb.NextKeyRequest(
            map=self.ref,
            **given,
            format=format_of(codec.form).wire,
            typing=typing_message(self.typing),
        )
        field = f"next_{codec.form.field('key')}"
        return Operation(
            "NextKey", request, lambda answer: decoded(codec, getattr(answer, field), "keys")
        )

    def push(self, values: Iterable[V], overwrite_oldest: bool) -> Operation[int]:
        """PushElements."""
        columns, count = column_of(values, self.binding.value, "values")
        request = pb.PushElementsRequest(
            map=self.ref,
            **columns,
            count=count,
            overwrite_oldest=overwrite_oldest,
            typing=typing_message(self.typing),
        )
        return Operation("PushElements", request, lambda answer: int(answer.applied))

    def pop(self, max_count: int) -> Operation[List[V]]:
        """PopElements."""
        codec = self.binding.value
        request = pb.PopElementsRequest(
            map=self.ref,
            max_count=max_count,
            format=format_of(codec.form).wire,
            typing=typing_message(self.typing),
        )
        return Operation(
            "PopElements", request, lambda answer: unpack_values(answer.elements, codec)
        )

    def peek(self) -> Operation[Optional[V]]:
        """PeekElement of a queue or stack; None where it is empty."""
        codec = self.binding.value
        request = pb.PeekElementRequest(
            map=self.ref, format=format_of(codec.form).wire, typing=typing_message(self.typing)
        )
        field = codec.form.field("value")
        return Operation(
            "PeekElement",
            request,
            lambda answer: (
                decoded(codec, getattr(answer, field), "values") if answer.found else None
            ),
        )

    def may_contain(self, value: V) -> Operation[bool]:
        """PeekElement of a bloom filter."""
        codec = self.binding.value
        given: Any = {codec.form.field("value"): codec.encode(value)}
        request = pb.PeekElementRequest(
            map=self.ref,
            **given,
            typing=typing_message(self.typing),
        )
        return Operation("PeekElement", request, lambda answer: bool(answer.found))

    def count(self, filter: Optional[Filter[K]]) -> Operation[Count]:
        """CountElements."""
        request = pb.CountElementsRequest(
            map=self.ref, filter=self.filter_of(filter), typing=typing_message(self.typing)
        )
        return Operation(
            "CountElements",
            request,
            lambda answer: Count(answer.count, answer.max_entries, answer.complete),
        )

    def aggregate(
        self, fields: Iterable[Union[Number, str]], filter: Optional[Filter[K]], top: Optional[Top]
    ) -> Operation[Aggregate[K]]:
        """AggregateElements."""
        codec = self.binding.key
        request = AggregateElementsRequest(
            map=self.ref,
            filter=self.filter_of(filter),
            fields=[number_of(field) for field in fields],
            typing=typing_message(self.typing),
        )
        if top is not None:
            is_json = codec.form is Form.JSON
            request.top.CopyFrom(
                TopKeysRequest(field=top.field, limit=top.limit, json_keys=is_json)
            )
        return Operation("AggregateElements", request, lambda answer: Aggregate.of(answer, codec))

    def filter_of(self, filter: Optional[Filter[K]]) -> Optional[ElementFilter]:
        """The filter of a request."""
        return None if filter is None else filter.message(self.binding.key)

    def _found(self, answer: Any, count: int) -> List[V]:
        found = []
        for value, error in values_found(answer, count, self.binding.value, told(self.ref)):
            if error is not None:
                raise error
            found.append(value)
        return found  # type: ignore[return-value]

    def _some(self, answer: Any, count: int) -> List[Optional[V]]:
        """Missing keys are None; any other failure is raised."""
        found: List[Optional[V]] = []
        for value, error in values_found(answer, count, self.binding.value, told(self.ref)):
            if error is not None and not isinstance(error, KeyNotFound):
                raise error
            found.append(value)
        return found

    def _applied(self, answer: Any, keys: Sequence[K]) -> Applied[K]:
        return Applied(answer.applied, failures_of(answer.failures, keys, told(self.ref)))

    def _keys(self, keys: Iterable[K]) -> Tuple[Dict[str, Any], int]:
        return column_of(keys, self.binding.key, "keys")

    def _take_request(self, keys: Iterable[K], on_error: OnError) -> pb.TakeElementsRequest:
        columns, count = self._keys(keys)
        return pb.TakeElementsRequest(
            map=self.ref,
            **columns,
            count=count,
            on_error=on_error.wire,
            format=format_of(self.binding.value.form).wire,
            typing=typing_message(self.typing),
        )

    def refuse_view(self, what: str) -> None:
        """Refuses handles that have one slot of per-CPU values, for calls that know none."""
        if not self.view.is_whole:
            raise invalid(f"{what} answers whole values: use a handle without cpu and fold")


def schema(ref: MapRef, typing: Optional[Typing]) -> Operation[Schema]:
    """GetMapSchema."""
    request = GetMapSchemaRequest(map=ref, typing=typing_message(typing))
    return Operation("GetMapSchema", request, Schema.of)


def read_memory(ref: MapRef, offset: int, length: int) -> Operation[bytes]:
    """ReadMemory."""
    request = pb.ReadMemoryRequest(map=ref, offset=offset, length=length)
    return Operation("ReadMemory", request, lambda answer: bytes(answer.data))


def write_memory(ref: MapRef, offset: int, data: bytes) -> Operation[None]:
    """WriteMemory."""
    request = pb.WriteMemoryRequest(map=ref, offset=offset, data=data)
    return Operation("WriteMemory", request, _nothing)


def clear(ref: MapRef) -> Operation[int]:
    """ClearMap."""
    return Operation("ClearMap", pb.ClearMapRequest(map=ref), lambda answer: int(answer.removed))


def freeze(ref: MapRef) -> Operation[None]:
    """FreezeMap."""
    return Operation("FreezeMap", pb.FreezeMapRequest(map=ref), _nothing)


def pin(ref: MapRef, path: str, create_parents: bool) -> Operation[None]:
    """PinMap."""
    request = pb.PinMapRequest(map=ref, path=path, create_parents=create_parents)
    return Operation("PinMap", request, _nothing)


def hold(ref: MapRef, name: str, lease: Optional[Seconds]) -> Operation[MapInfo]:
    """HoldMap."""
    request = pb.HoldMapRequest(map=ref, hold=HoldSpec(name=name, lease=duration_of(lease)))
    return Operation("HoldMap", request, lambda answer: MapInfo.of(answer.map))
