"""Loads, without the sending: the messages of the request."""

from __future__ import annotations

from typing import Any, Generic, Iterator, List, Optional, Tuple, TypeVar

from bpfmapd._binding import Binding
from bpfmapd._codecs.codec import Bound, Form
from bpfmapd._gen.bpfmap.v1 import map_service_pb2 as pb
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuTarget, Elements
from bpfmapd._gen.bpfmap.v1.map_pb2 import Map, MapRef
from bpfmapd.enums import LoadStrategy
from bpfmapd.errors import invalid
from bpfmapd.info import MapInfo
from bpfmapd.schema import Typing, typing_message

K = TypeVar("K")
V = TypeVar("V")

DEFAULT_CHUNK_BYTES = 256 * 1024


def load_start(
    ref: MapRef,
    strategy: LoadStrategy,
    dry_run: bool,
    target: Optional[CpuTarget],
    typing: Optional[Typing],
    outer_key: Optional[bytes] = None,
) -> pb.LoadMapRequest:
    """The first message."""
    if (strategy is LoadStrategy.REPLACE_ATOMIC) != (outer_key is not None):
        raise invalid("an inner map is replaced by replace_inner(), and by nothing else")
    start = pb.LoadStart(
        map=ref,
        strategy=strategy.wire,
        dry_run=dry_run,
        cpu_target=target,
        typing=typing_message(typing),
        outer_key=outer_key,
    )
    return pb.LoadMapRequest(start=start)


def like_inner(outer: MapInfo) -> Map:
    """What a new inner map of a map of maps will be, as far as codecs need to know."""
    spec = outer.message.inner_map_spec
    return Map(key_size=spec.key_size, value_size=spec.value_size, value_stride=spec.value_size)


class Packer(Generic[K, V]):
    """Joins elements into chunks of about a size."""

    is_live = False
    """Whether what was added is sent where the source takes its time."""

    def __init__(self, binding: Binding[K, V], chunk_bytes: int) -> None:
        if chunk_bytes < 1:
            raise invalid(f"chunk_bytes is {chunk_bytes}: it must be above 0", "chunk_bytes")
        self._encode_key = binding.key.encode
        self._encode_value = binding.value.encode
        self._key = _Column(binding.key, "keys")
        self._value = _Column(binding.value, "values")
        self._is_fixed = self._key.is_bytes and self._value.is_bytes
        size = max(1, binding.key.size + binding.value.size)
        self._capacity = max(1, chunk_bytes // size)
        self._chunk_bytes = chunk_bytes
        self._size = 0
        self._keys: List[Any] = []
        self._values: List[Any] = []

    def add(self, element: Tuple[K, V]) -> Optional[pb.LoadMapRequest]:
        """Takes an element. Returns the message that it filled, if it did."""
        key, value = element
        # Encoded before either is kept, so that a bad value leaves no key behind.
        key_data, value_data = self._encode_key(key), self._encode_value(value)
        self._keys.append(key_data)
        self._values.append(value_data)
        if self._is_fixed:
            return self._take() if len(self._keys) >= self._capacity else None
        self._size += self._key.size_of(key_data) + self._value.size_of(value_data)
        return self._take() if self._size >= self._chunk_bytes else None

    def rest(self) -> Iterator[pb.LoadMapRequest]:
        """What was taken since the last message, if anything."""
        if self._keys:
            yield self._take()

    def _take(self) -> pb.LoadMapRequest:
        columns = {**self._key.joined(self._keys), **self._value.joined(self._values)}
        elements = Elements(count=len(self._keys), **columns)
        self._keys.clear()
        self._values.clear()
        self._size = 0
        return pb.LoadMapRequest(elements=elements)


class _Column:
    """How the keys or the values of a load travel."""

    def __init__(self, codec: Bound[Any], name: str) -> None:
        self.is_bytes = codec.form is Form.BYTES
        self._field = codec.form.field(name)
        self._is_text = codec.form is Form.JSON

    def size_of(self, part: Any) -> int:
        """About the bytes that one takes in a message."""
        if self.is_bytes:
            return len(part)
        return len(part) + 4 if self._is_text else int(part.ByteSize()) + 4

    def joined(self, parts: List[Any]) -> Any:
        """The field of a message with the parts."""
        return {self._field: b"".join(parts) if self.is_bytes else parts}
