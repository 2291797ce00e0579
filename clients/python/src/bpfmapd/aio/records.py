"""Streams of records of the asynchronous face."""

from __future__ import annotations

from types import TracebackType
from typing import (
    Any,
    Awaitable,
    Callable,
    Generic,
    Iterator,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import grpc

from bpfmapd._records import RecordsReader
from bpfmapd.aio.stepper import Stepper
from bpfmapd.errors import BpfmapError, Cancelled, ProtocolError
from bpfmapd.records import RecordBatch, RecordEvent, RecordsLost, RecordsStarted

T = TypeVar("T")

OpenRecords = Callable[[], Awaitable[Tuple[Any, RecordsReader[T]]]]


class RecordStream(Generic[T]):
    """The records of a ring buffer or a perf event array, to be read once: one by one
    (`async for event in stream`) or, several times faster, in batches (`batches()`).

    The call is made when it is first read, or by `start()`. It has no end of its own: leaving
    the loop ends it, soon; `close()` and `async with` end it at once. Where it is read slower
    than records come, the daemon keeps `queue_bytes` of them, and a RecordsLost stands where
    more are missing. A connection that is lost is an error: Unavailable. Waiting for an event
    with a timeout loses none.
    """

    def __init__(self, run: RecordsRun[T]) -> None:
        self._run = run
        # What is left of the batch that is being read.
        self._held: Iterator[Union[RecordEvent[T], RecordsLost]] = iter(())

    async def start(self) -> RecordsStarted:
        """Begins to read, and returns when the daemon does: what is written from then on is
        not missed without being told."""
        return await self._run.start()

    @property
    def lost(self) -> int:
        """How many records were missing so far."""
        return self._run.lost

    def __aiter__(self) -> RecordStream[T]:
        return self

    async def __anext__(self) -> Union[RecordEvent[T], RecordsLost]:
        while True:
            event = next(self._held, None)
            if event is not None:
                return event
            self._held = self._run.events(await self._next())

    def batches(self) -> RecordBatches[T]:
        """The records in batches, as they came."""
        return RecordBatches(self)

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._run.close()

    async def __aenter__(self) -> RecordStream[T]:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Whoever leaves a loop over m.records() has nothing to close it by.
        self.close()

    async def _next(self) -> Union[RecordBatch, RecordsLost]:
        item = await self._run.next()
        if item is None:
            raise StopAsyncIteration
        return item


class RecordBatches(Generic[T]):
    """The batches of a stream of records."""

    def __init__(self, stream: RecordStream[T]) -> None:
        self._stream = stream

    def __aiter__(self) -> RecordBatches[T]:
        return self

    async def __anext__(self) -> Union[RecordBatch, RecordsLost]:
        return await self._stream._next()


class RecordsRun(Stepper[Union[RecordBatch, RecordsLost]], Generic[T]):
    """The call of a stream of records. It does not know the RecordStream, which could not
    become garbage then."""

    def __init__(self, open: OpenRecords[T], read: Callable[[Any], Awaitable[Any]]) -> None:
        super().__init__()
        self._open = open
        self._read = read
        self._reader: Optional[RecordsReader[T]] = None

    @property
    def lost(self) -> int:
        """How many records were missing so far."""
        return 0 if self._reader is None else self._reader.lost

    async def start(self) -> RecordsStarted:
        """Reads until the daemon reads the ring."""
        await self._until(lambda: self._started is not None)
        if self._started is None:
            raise Cancelled("the records were left", code=grpc.StatusCode.CANCELLED)
        return self._started

    def events(
        self, item: Union[RecordBatch, RecordsLost]
    ) -> Iterator[Union[RecordEvent[T], RecordsLost]]:
        """The records of a batch one by one, or what was lost."""
        assert self._reader is not None
        return self._reader.events(item)

    @property
    def _started(self) -> Optional[RecordsStarted]:
        return None if self._reader is None else self._reader.started

    async def _advance(self) -> None:
        try:
            if self._reader is None:
                self._call, self._reader = await self._open()
            message = await self._read(self._call)
            if message is grpc.aio.EOF:
                self._end()
                return
            item = self._reader.feed(message)
            if item is not None:
                self._events.append(item)
        except BpfmapError:
            self._over = True
            self._drop_call()
            raise

    def _end(self) -> None:
        self._over = True
        if self._started is None:
            raise ProtocolError("the stream of records ended before it started")
