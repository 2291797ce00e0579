"""Whole maps as columns: keys and values back to back, for numpy and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Iterator, List, Tuple, TypeVar

from bpfmapd._binding import Binding
from bpfmapd._codecs.codec import Bound
from bpfmapd._codecs.per_cpu import BoundPerCpu
from bpfmapd._dump import Chunk, DumpReader
from bpfmapd.info import DumpSummary, MapInfo

if TYPE_CHECKING:
    import numpy
    import pandas

K = TypeVar("K")
V = TypeVar("V")


class Columns(Generic[K, V]):
    """The elements of a map as two columns. What makes arrays of them copies nothing."""

    count: int
    """Elements."""
    keys: memoryview
    """`count` keys of `key_size` bytes."""
    values: memoryview
    """`count` values of `value_stride` bytes, in the order of the keys."""
    key_size: int
    """Bytes of one key."""
    value_stride: int
    """Bytes of one value; with all its slots for per-CPU maps."""
    map: MapInfo
    """The map as it was when the dump began."""
    summary: DumpSummary
    """How the dump went: whether it is complete, and when it was made."""

    def __init__(
        self,
        count: int,
        keys: memoryview,
        values: memoryview,
        value_stride: int,
        map: MapInfo,
        summary: DumpSummary,
        binding: Binding[K, V],
    ) -> None:
        self.count = count
        self.keys = keys
        self.values = values
        self.key_size = map.key_size
        self.value_stride = value_stride
        self.map = map
        self.summary = summary
        self._binding = binding

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Tuple[K, V]]:
        binding = self._binding
        keys = binding.key.decode_column(bytes(self.keys), self.count)
        return zip(keys, binding.value.decode_column(bytes(self.values), self.count))

    def numpy_keys(self) -> numpy.ndarray[Any, Any]:
        """The keys as an array over `keys`. Codecs with fields give structured arrays, bytes
        an array of count times key_size u8."""
        return _array(self.keys, self.count, self.key_size, self._binding.key)

    def numpy_values(self) -> numpy.ndarray[Any, Any]:
        """The values as an array over `values`, as `numpy_keys`. With PerCpu it has one more
        dimension, for the CPUs."""
        return _array(self.values, self.count, self.value_stride, self._binding.value)

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame: columns "key" and "value", or "key.FIELD" and "value.FIELD" for codecs
        with fields. One column for each CPU ("value.cpu0") with PerCpu. Bytes are objects."""
        import pandas

        frame: List[Tuple[str, Any]] = []
        _add_columns(frame, "key", self.numpy_keys())
        values = self.numpy_values()
        if isinstance(self._binding.value, BoundPerCpu):
            for index, cpu in enumerate(self.map.cpus):
                _add_columns(frame, f"value.cpu{cpu}", values[:, index])
        else:
            _add_columns(frame, "value", values)
        made: pandas.DataFrame = pandas.DataFrame(dict(frame))
        return made


class ColumnsBuilder:
    """Joins the chunks of a dump."""

    def __init__(self) -> None:
        self._count = 0
        self._keys = bytearray()
        self._values = bytearray()

    def add(self, chunk: Chunk) -> None:
        """Appends a chunk."""
        self._count += chunk.count
        self._keys += chunk.keys
        self._values += chunk.values

    def build(self, reader: DumpReader[K, V]) -> Columns[K, V]:
        """The columns, when the dump is over."""
        reader.finish()
        assert reader.header is not None
        assert reader.summary is not None
        return Columns(
            self._count,
            memoryview(self._keys),
            memoryview(self._values),
            reader.value_stride,
            reader.header,
            reader.summary,
            reader.binding,
        )


def _array(
    column: memoryview, count: int, stride: int, codec: Bound[Any]
) -> numpy.ndarray[Any, Any]:
    import numpy

    dtype = numpy.dtype(codec.dtype())
    shape: Tuple[int, ...] = (count,)
    strides: Tuple[int, ...] = (stride,)
    if isinstance(codec, BoundPerCpu):
        shape, strides = (count, codec.cpus), (stride, codec.slot)
    base = dtype
    if dtype.subdtype is not None:
        base, inner = dtype.subdtype
        shape += inner
        strides += numpy.empty(inner, base).strides
    array: numpy.ndarray[Any, Any] = numpy.ndarray(shape, base, buffer=column, strides=strides)
    return array


def _add_columns(frame: List[Tuple[str, Any]], name: str, array: Any) -> None:
    """Appends an array as one pandas column, or as one for each of its fields."""
    if array.dtype.names is not None:
        for field in array.dtype.names:
            _add_columns(frame, f"{name}.{field}", array[field])
    elif array.ndim == 1:
        frame.append((name, _native(array)))
    elif array.dtype.kind == "u" and array.dtype.itemsize == 1 and array.ndim == 2:
        frame.append((name, [row.tobytes() for row in array]))
    else:
        for index in range(array.shape[1]):
            _add_columns(frame, f"{name}.{index}", array[:, index])


def _native(array: Any) -> Any:
    """The array in this machine's byte order: pandas refuses the other."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
