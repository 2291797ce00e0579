"""Elements as columns: the shape in which they travel."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar

from bpfmapd._binding import Binding
from bpfmapd._codecs.codec import Bound, Form
from bpfmapd._gen.bpfmap.v1.element_pb2 import ElementFailure, Elements
from bpfmapd.enums import ErrorReason
from bpfmapd.errors import BpfmapError, ProtocolError, element_error, invalid
from bpfmapd.info import Failure

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def column_of(
    items: Iterable[T], codec: Bound[T], name: str, field: str = ""
) -> Tuple[Dict[str, Any], int]:
    """The field of a message that carries "keys" or "values", and their number."""
    if codec.form is Form.BYTES:
        column, count = pack_column(items, codec, field or name)
        return {name: column}, count
    parts = [codec.encode(item) for item in items]
    return {codec.form.field(name): parts}, len(parts)


def pack_column(items: Iterable[T], codec: Bound[T], field: str) -> Tuple[bytes, int]:
    """Joins keys or values into a column of bytes, and counts them.

    INVALID_ARGUMENT where they differ in length: back to back they could pass for others of
    the right length.
    """
    parts = [codec.encode(item) for item in items]
    size = len(parts[0]) if parts else 0
    for index, part in enumerate(parts):
        if len(part) != size:
            is_key = field.endswith("keys")
            raise invalid(
                f"{'key' if is_key else 'value'} {index} has {len(part)} bytes, "
                f"those before it have {size}",
                field,
                "KEY_SIZE_MISMATCH" if is_key else "VALUE_SIZE_MISMATCH",
            )
    return b"".join(parts), len(parts)


def pack_elements(pairs: Sequence[Tuple[K, V]], binding: Binding[K, V]) -> Elements:
    """Joins elements into columns; INVALID_ARGUMENT where their sizes differ."""
    keys, count = column_of((key for key, _ in pairs), binding.key, "keys", "elements.keys")
    values, _ = column_of((value for _, value in pairs), binding.value, "values", "elements.values")
    return Elements(count=count, **keys, **values)


def values_found(
    answer: Any, count: int, codec: Bound[V], map_name: str
) -> Iterator[Tuple[Optional[V], Optional[BpfmapError]]]:
    """What a lookup or take found, in the order of the keys: a value or an error each."""
    parts = _parts(answer.elements, count, codec)
    failed = errors_by_index(answer.failures, map_name)
    for index, part in enumerate(parts):
        error = failed.get(index)
        if error is not None:
            yield None, error
        else:
            yield decoded(codec, part, "values"), None


def _parts(elements: Elements, count: int, codec: Bound[Any]) -> Sequence[Any]:
    """The values of an answer, each as it was sent."""
    column = getattr(elements, codec.form.field("values"))
    if codec.form is Form.BYTES:
        size, rest = divmod(len(column), max(count, 1))
        if elements.count == count and rest == 0:
            return [column[index * size : (index + 1) * size] for index in range(count)]
    elif elements.count == len(column) == count:
        parts: Sequence[Any] = column
        return parts
    raise ProtocolError(
        f"the daemon answered {elements.count} elements and {len(column)} "
        f"{'bytes' if codec.form is Form.BYTES else 'values'} for {count} keys"
    )


def errors_by_index(failures: Iterable[ElementFailure], map_name: str) -> Dict[int, BpfmapError]:
    """The errors of refused elements by their position."""
    return {
        failure.index: element_error(ErrorReason(failure.reason).name, failure.index, map_name)
        for failure in failures
    }


def failures_of(
    failures: Iterable[ElementFailure], items: Sequence[T], map_name: str
) -> Tuple[Failure[T], ...]:
    """The refused elements of a call, each with its key."""
    errors = errors_by_index(failures, map_name)
    return tuple(Failure(index, items[index], error) for index, error in errors.items())


def unpack_values(elements: Elements, codec: Bound[V]) -> List[V]:
    """The values of a column."""
    return [decoded(codec, part, "values") for part in _parts(elements, elements.count, codec)]


def decoded(codec: Bound[T], data: Any, column: str) -> T:
    """The object of what the daemon sent.

    Refuses sizes other than those that the codec was bound to: a pin, name or hold can come to
    stand for another map. Codecs of any size have 0.
    """
    if codec.size and codec.size != len(data):
        raise invalid(
            f"the {column} have {len(data)} bytes now, and had {codec.size}: "
            "the map is another one",
            column,
            "KEY_SIZE_MISMATCH" if column == "keys" else "VALUE_SIZE_MISMATCH",
        )
    return codec.decode(data)
