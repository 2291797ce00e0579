"""Dumps of the synchronous face."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Generic, Iterator, Optional, Tuple, Type, TypeVar

import grpc

from bpfmapd._dump import Chunk, DumpReader, read_once
from bpfmapd.columns import Columns, ColumnsBuilder
from bpfmapd.errors import BpfmapError, Cancelled
from bpfmapd.info import DumpSummary, MapInfo

K = TypeVar("K")
V = TypeVar("V")

OpenDump = Callable[[], Tuple[Any, DumpReader[K, V]]]


class Dump(Generic[K, V]):
    """The elements of a map, to be read once: pairs (`for key, value in dump`), `keys()`,
    `values()`, chunks of columns (`chunks()`, several times faster) or all at once
    (`columns()`).

    The call is made when it is first read. Leaving the loop ends it on the host too, at the
    latest when the dump is garbage; `close()` and `with` end it at once. It is no snapshot in
    time: an element that stood still meanwhile was sent exactly once, if `summary.complete`.
    """

    def __init__(self, open: OpenDump[K, V], errors: Callable[[grpc.RpcError], BpfmapError]):
        self._open = open
        self._errors = errors
        self._call: Any = None
        self._reader: Optional[DumpReader[K, V]] = None
        self._taken = False

    @property
    def header(self) -> MapInfo:
        """The map as it was when the dump began. Asking for it starts the dump."""
        reader = self._start()
        while reader.header is None:
            self._next(reader)
        return reader.header

    @property
    def summary(self) -> DumpSummary:
        """How the dump went, once all elements have been read; Cancelled before."""
        if self._reader is None or self._reader.summary is None:
            raise Cancelled("the dump has not been read to its end", code=grpc.StatusCode.CANCELLED)
        return self._reader.summary

    def __iter__(self) -> Iterator[Tuple[K, V]]:
        for chunk in self.chunks():
            yield from self._start().pairs(chunk)

    def keys(self) -> Iterator[K]:
        """The keys alone."""
        for chunk in self.chunks():
            yield from self._start().keys(chunk)

    def values(self) -> Iterator[V]:
        """The values alone."""
        for chunk in self.chunks():
            yield from self._start().values(chunk)

    def chunks(self) -> Iterator[Chunk]:
        """The elements in chunks of columns, as they came."""
        if self._taken:
            raise read_once()
        self._taken = True
        return self._chunks()

    def columns(self) -> Columns[K, V]:
        """All elements as two columns, for numpy and pandas."""
        columns = ColumnsBuilder()
        for chunk in self.chunks():
            columns.add(chunk)
        return columns.build(self._start())

    def close(self) -> None:
        """Ends the dump."""
        if self._call is not None:
            self._call.cancel()

    def __enter__(self) -> Dump[K, V]:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _chunks(self) -> Iterator[Chunk]:
        reader = self._start()
        try:
            while reader.summary is None:
                chunk = self._next(reader)
                if chunk is not None:
                    yield chunk
            # The call is over only when its end has been read.
            self._next(reader)
        finally:
            self.close()

    def _start(self) -> DumpReader[K, V]:
        if self._reader is None:
            self._call, self._reader = self._open()
        return self._reader

    def _next(self, reader: DumpReader[K, V]) -> Optional[Chunk]:
        try:
            message = next(self._call)
        except StopIteration:
            reader.finish()
            return None
        except grpc.RpcError as error:
            raise self._errors(error) from error
        return reader.feed(message)
