"""Dumps of the asynchronous face."""

from __future__ import annotations

from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Generic, Optional, Tuple, Type, TypeVar

import grpc

from bpfmapd._dump import Chunk, DumpReader, read_once
from bpfmapd.columns import Columns, ColumnsBuilder
from bpfmapd.errors import Cancelled
from bpfmapd.info import DumpSummary, MapInfo

K = TypeVar("K")
V = TypeVar("V")

OpenDump = Callable[[], Awaitable[Tuple[Any, DumpReader[K, V]]]]


class Dump(Generic[K, V]):
    """The elements of a map, to be read once: pairs (`async for key, value in dump`), `keys()`,
    `values()`, chunks of columns (`chunks()`, several times faster) or all at once
    (`await dump.columns()`).

    The call is made when it is first read. Leaving the loop ends it on the host too, soon;
    `close()` and `async with` end it at once. It is no snapshot in time: an element that stood
    still meanwhile was sent exactly once, if `summary.complete`.
    """

    def __init__(self, open: OpenDump[K, V], read: Callable[[Any], Awaitable[Any]]) -> None:
        self._open = open
        self._read = read
        self._call: Any = None
        self._reader: Optional[DumpReader[K, V]] = None
        self._taken = False

    async def header(self) -> MapInfo:
        """The map as it was when the dump began. Asking for it starts the dump."""
        reader = await self._start()
        while reader.header is None:
            await self._next(reader)
        return reader.header

    @property
    def summary(self) -> DumpSummary:
        """How the dump went, once all elements have been read; Cancelled before."""
        if self._reader is None or self._reader.summary is None:
            raise Cancelled("the dump has not been read to its end", code=grpc.StatusCode.CANCELLED)
        return self._reader.summary

    async def __aiter__(self) -> AsyncIterator[Tuple[K, V]]:
        reader = await self._start()
        async for chunk in self.chunks():
            for pair in reader.pairs(chunk):
                yield pair

    async def keys(self) -> AsyncIterator[K]:
        """The keys alone."""
        reader = await self._start()
        async for chunk in self.chunks():
            for key in reader.keys(chunk):
                yield key

    async def values(self) -> AsyncIterator[V]:
        """The values alone."""
        reader = await self._start()
        async for chunk in self.chunks():
            for value in reader.values(chunk):
                yield value

    def chunks(self) -> AsyncIterator[Chunk]:
        """The elements in chunks of columns, as they came."""
        if self._taken:
            raise read_once()
        self._taken = True
        return self._chunks()

    async def columns(self) -> Columns[K, V]:
        """All elements as two columns, for numpy and pandas."""
        columns = ColumnsBuilder()
        async for chunk in self.chunks():
            columns.add(chunk)
        return columns.build(await self._start())

    def close(self) -> None:
        """Ends the dump."""
        if self._call is not None:
            self._call.cancel()
            # A call keeps its connection, also of a client that is closed.
            self._call = None

    async def __aenter__(self) -> Dump[K, V]:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    async def _chunks(self) -> AsyncIterator[Chunk]:
        reader = await self._start()
        try:
            while reader.summary is None:
                chunk = await self._next(reader)
                if chunk is not None:
                    yield chunk
            # The call is over only when its end has been read.
            await self._next(reader)
        finally:
            self.close()

    async def _start(self) -> DumpReader[K, V]:
        if self._reader is None:
            self._call, self._reader = await self._open()
        return self._reader

    async def _next(self, reader: DumpReader[K, V]) -> Optional[Chunk]:
        if self._call is None:
            raise Cancelled("the dump was closed", code=grpc.StatusCode.CANCELLED)
        message = await self._read(self._call)
        if message is grpc.aio.EOF:
            reader.finish()
            return None
        return reader.feed(message)
