"""Dumps, without the sending: the request, and what the messages of the answer mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Generic, Iterator, NamedTuple, Optional, Tuple, TypeVar

import grpc

from bpfmapd._binding import Binding
from bpfmapd._codecs.codec import Form
from bpfmapd._gen.bpfmap.v1 import map_service_pb2 as pb
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuView, ElementFilter
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._messages import Seconds, duration_of
from bpfmapd.enums import Format, Projection
from bpfmapd.errors import ProtocolError, invalid
from bpfmapd.filters import Order
from bpfmapd.info import DumpSummary, MapInfo
from bpfmapd.schema import Typing, typing_message

K = TypeVar("K")
V = TypeVar("V")


class DumpProgress(NamedTuple):
    """How far a dump is."""

    scanned: int
    """Elements read from the kernel."""
    sent: int
    """Elements sent."""


class Chunk(NamedTuple):
    """Some elements of a dump, as columns. Of handles with JSON or kernel objects, the columns
    are sequences of texts or messages instead of bytes."""

    count: int  # type: ignore[assignment]
    """Elements."""
    keys: bytes
    """`count` keys back to back; empty with the projection VALUES."""
    values: bytes
    """`count` values back to back; empty with the projection KEYS."""


@dataclass(frozen=True)
class DumpOptions:
    """What to dump and how; see Map.dump."""

    chunk_bytes: int = 0
    max_elements: int = 0
    max_elements_per_second: int = 0
    on_progress: Optional[Callable[[DumpProgress], None]] = None
    progress_interval: Optional[Seconds] = None
    order: Optional[Order] = None


def dump_request(
    ref: MapRef,
    filter: Optional[ElementFilter],
    projection: Projection,
    view: Optional[CpuView],
    format: Format,
    typing: Optional[Typing],
    options: DumpOptions,
) -> pb.DumpMapRequest:
    """DumpMap."""
    interval = options.progress_interval
    if interval is None and options.on_progress is not None:
        interval = 1
    return pb.DumpMapRequest(
        map=ref,
        filter=filter,
        projection=projection.wire,
        cpu_view=view,
        chunk_bytes=options.chunk_bytes,
        max_elements=options.max_elements,
        max_elements_per_second=options.max_elements_per_second,
        progress_interval=duration_of(interval),
        format=format.wire,
        typing=typing_message(typing),
        order=None if options.order is None else options.order.message(),
    )


class DumpReader(Generic[K, V]):
    """Takes the messages of a dump in order, and refuses a stream that is not whole."""

    def __init__(
        self,
        projection: Projection,
        forms: Tuple[Form, Form],
        binding_of: Callable[[Any], Binding[K, V]],
        options: DumpOptions,
    ) -> None:
        self.projection = projection
        self._forms = forms
        self._keys, self._values = forms[0].field("keys"), forms[1].field("values")
        self.header: Optional[MapInfo] = None
        self.value_stride = 0
        self.summary: Optional[DumpSummary] = None
        self._binding_of = binding_of
        self._binding: Optional[Binding[K, V]] = None
        self._on_progress = options.on_progress

    @property
    def binding(self) -> Binding[K, V]:
        """The codecs, bound to the map as the header tells it."""
        if self._binding is None:
            if self.header is None:
                raise ProtocolError("the dump has not begun")
            self._binding = self._binding_of(self.header.message)
        return self._binding

    def feed(self, message: pb.DumpMapResponse) -> Optional[Chunk]:
        """Takes a message; returns the elements that it brings, if it does."""
        kind = message.WhichOneof("kind")
        if self.summary is not None or (self.header is None) != (kind == "header"):
            raise ProtocolError(f"the daemon sent {kind or 'an empty message'} out of place")
        if kind == "elements":
            return self._chunk(message)
        if kind == "header":
            self.header = MapInfo.of(message.header.map)
            self.value_stride = message.header.value_stride
        elif kind == "progress":
            if self._on_progress is not None:
                progress = message.progress
                self._on_progress(DumpProgress(progress.scanned, progress.sent))
        elif kind == "summary":
            self.summary = DumpSummary.of(message.summary)
        else:
            raise ProtocolError("the daemon sent an empty message in a dump")
        return None

    def finish(self) -> None:
        """Called at the end of the stream: one without a summary was cut."""
        if self.summary is None:
            raise ProtocolError(
                "the dump ended without a summary: it was cut", code=grpc.StatusCode.DATA_LOSS
            )

    def pairs(self, chunk: Chunk) -> Iterator[Tuple[K, V]]:
        """The elements of a chunk one by one."""
        binding = self.binding
        keys = binding.key.decode_column(chunk.keys, chunk.count)
        return zip(keys, binding.value.decode_column(chunk.values, chunk.count))

    def keys(self, chunk: Chunk) -> Iterator[K]:
        """The keys of a chunk one by one."""
        return self.binding.key.decode_column(chunk.keys, chunk.count)

    def values(self, chunk: Chunk) -> Iterator[V]:
        """The values of a chunk one by one."""
        return self.binding.value.decode_column(chunk.values, chunk.count)

    def _chunk(self, message: pb.DumpMapResponse) -> Optional[Chunk]:
        elements = message.elements
        count = elements.count
        chunk = Chunk(count, getattr(elements, self._keys), getattr(elements, self._values))
        key_size = self.header.key_size if self.header is not None else 0
        wanted_keys = _wanted(Projection.VALUES, self.projection, self._forms[0], key_size)
        wanted_values = _wanted(Projection.KEYS, self.projection, self._forms[1], self.value_stride)
        if (len(chunk.keys), len(chunk.values)) != (count * wanted_keys, count * wanted_values):
            raise ProtocolError(
                f"the daemon sent {len(chunk.keys)} bytes or items of keys and "
                f"{len(chunk.values)} of values for {count} elements of {key_size} and "
                f"{self.value_stride} bytes"
            )
        return chunk if count > 0 else None


def _wanted(without: Projection, projection: Projection, form: Form, size: int) -> int:
    """What a column has for each element: bytes, or items in another form."""
    if projection is without:
        return 0
    return size if form is Form.BYTES else 1


def read_once() -> Exception:
    """The error of whoever reads a dump twice."""
    return invalid("a dump can be read once only: make another one")
