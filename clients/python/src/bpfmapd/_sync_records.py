"""Streams of records of the synchronous face."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Generic, Iterator, Optional, Tuple, Type, TypeVar, Union

import grpc

from bpfmapd._records import RecordsReader
from bpfmapd.errors import BpfmapError, Cancelled, ProtocolError, invalid
from bpfmapd.records import RecordBatch, RecordEvent, RecordsLost, RecordsStarted

T = TypeVar("T")

OpenRecords = Callable[[], Tuple[Any, RecordsReader[T]]]


class RecordStream(Generic[T]):
    """The records of a ring buffer or a perf event array, to be read once: one by one
    (`for event in stream`) or, several times faster, in batches (`batches()`).

    The call is made when it is first read, or by `start()`. It has no end of its own: leaving
    the loop ends it, at the latest when the stream is garbage; `close()`, also from another
    thread, ends the loop. Where it is read slower than records come, the daemon keeps
    `queue_bytes` of them, and a RecordsLost stands where more are missing. A connection that
    is lost is an error: Unavailable.
    """

    def __init__(self, open: OpenRecords[T], errors: Callable[[grpc.RpcError], BpfmapError]):
        self._open = open
        self._errors = errors
        self._call: Any = None
        self._reader: Optional[RecordsReader[T]] = None
        self._taken = False
        self._closed = False

    def start(self) -> RecordsStarted:
        """Begins to read, and returns when the daemon does: what is written from then on is
        not missed without being told."""
        if self._closed:
            raise Cancelled("the records were left", code=grpc.StatusCode.CANCELLED)
        if self._reader is None:
            self._call, self._reader = self._open()
        if self._reader.started is None:
            message = self._next()
            if message is None:
                raise ProtocolError("the stream of records ended before it started")
            self._reader.feed(message)
        assert self._reader.started is not None
        return self._reader.started

    @property
    def lost(self) -> int:
        """How many records were missing so far."""
        return 0 if self._reader is None else self._reader.lost

    def __iter__(self) -> Iterator[Union[RecordEvent[T], RecordsLost]]:
        for item in self.batches():
            assert self._reader is not None
            yield from self._reader.events(item)

    def batches(self) -> Iterator[Union[RecordBatch, RecordsLost]]:
        """The records in batches, as they came."""
        if self._taken:
            raise invalid("a stream of records can be read once only: make another one")
        self._taken = True
        return self._batches()

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    def __enter__(self) -> RecordStream[T]:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _batches(self) -> Iterator[Union[RecordBatch, RecordsLost]]:
        try:
            self.start()
            assert self._reader is not None
            while True:
                message = self._next()
                if message is None:
                    return
                item = self._reader.feed(message)
                if item is not None:
                    yield item
        except BpfmapError:
            if not self._closed:
                raise
        finally:
            self.close()

    def _next(self) -> Any:
        """The next message; None where no more comes."""
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            raise self._errors(error) from error
