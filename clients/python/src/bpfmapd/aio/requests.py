"""Streams of requests of the asynchronous face."""

from __future__ import annotations

import asyncio
import contextlib
from typing import (
    Any,
    AsyncIterable,
    AsyncIterator,
    Coroutine,
    Iterable,
    List,
    TypeVar,
    Union,
)

import grpc
import grpc.aio

T = TypeVar("T")

Source = Union[Iterable[T], AsyncIterable[T]]


class RequestCall:
    """A call with a stream of requests that remembers how the daemon ended it.

    grpc.aio puts INTERNAL in the place of the daemon's status where a write was under way when
    the status came.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._ends: List[grpc.aio.AioRpcError] = []
        call.add_done_callback(self._note)

    async def send(self, start: Any, packer: Any, items: Source[Any]) -> None:
        """Sends the first request and what a packer makes of items, as fast as they are taken;
        stops where the call is over."""
        try:
            if await self._write(start):
                await self._write_all(packer, items)
        except BaseException:
            # Before anything else, so that the daemon never takes a part for the whole.
            self._call.cancel()
            raise

    async def answer(self) -> Any:
        """The answer, or the daemon's own error."""
        try:
            return await self._call
        except grpc.aio.AioRpcError as error:
            for end in self._ends:
                if end.code() is not grpc.StatusCode.INTERNAL:
                    raise end from error
            raise

    async def _write_all(self, packer: Any, items: Source[Any]) -> None:
        if not isinstance(items, AsyncIterable):
            for item in items:
                full = packer.add(item)
                if full is not None and not await self._write(full):
                    return
        elif packer.is_live:
            if not await self._write_live(packer, items):
                return
        else:
            async for item in items:
                full = packer.add(item)
                if full is not None and not await self._write(full):
                    return
        for rest in packer.rest():
            await self._write(rest)
        with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
            await self._call.done_writing()

    async def _write_live(self, packer: Any, items: AsyncIterable[Any]) -> bool:
        """Where the source takes its time, sends what is there; False where the call is over."""
        source = items.__aiter__()
        while True:
            following = asyncio.ensure_future(_following(source))
            try:
                if not await _is_done_soon(following):
                    for request in packer.rest():
                        if not await self._write(request):
                            return False
                item = await following
            finally:
                following.cancel()
            if item is _END:
                return True
            full = packer.add(item)
            if full is not None and not await self._write(full):
                return False

    async def _write(self, message: Any) -> bool:
        """Sends a message; False where the call is over, whose answer then says why."""
        try:
            await self._call.write(message)
        except (asyncio.InvalidStateError, grpc.RpcError):
            return False
        return True

    def _note(self, call: Any) -> None:
        code = _result(call.code())
        if code is grpc.StatusCode.OK or call.cancelled():
            return
        trailers = _result(call.trailing_metadata())
        details = _result(call.details())
        self._ends.append(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details))


_END = object()


async def _following(source: AsyncIterator[Any]) -> Any:
    """The next item of a source, or _END."""
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        return _END


async def _is_done_soon(task: asyncio.Future[Any]) -> bool:
    """Whether it is done within two turns of the event loop: it starts in the first."""
    for _ in range(2):
        await asyncio.sleep(0)
        if task.done():
            return True
    return False


def _result(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("the call has ended, so that its status is known")
