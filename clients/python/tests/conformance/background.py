"""What goes on between two commands: a loop over a stream, in a thread or in a task."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Optional

Apply = Callable[[Any], None]


class InThread:
    """Reads a stream of the synchronous face."""

    def __init__(self, stream: Any, apply: Apply) -> None:
        self._stream = stream
        self._apply = apply
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run)

    def start(self, *, after_first: bool) -> None:
        """Begins to read; fails as the stream does, with its first event or its start."""
        if after_first:
            self._apply(next(iter(self._stream)))
        else:
            self._stream.start()
        self._thread.start()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until it is so, or the stream has ended."""
        with self._changed:
            self._changed.wait_for(lambda: is_so() or self._ended)

    def stop(self) -> None:
        """Ends the stream."""
        self._stream.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            for event in self._stream:
                with self._changed:
                    self._apply(event)
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class InTask:
    """Reads a stream of the asynchronous face."""

    def __init__(self, stream: Any, apply: Apply) -> None:
        self._stream = stream
        self._apply = apply
        self._changed = asyncio.Event()
        self._task: Optional[asyncio.Task[None]] = None

    async def start(self, *, after_first: bool) -> None:
        """Begins to read; fails as the stream does, with its first event or its start."""
        if after_first:
            self._apply(await self._stream.__anext__())
        else:
            await self._stream.start()
        self._task = asyncio.create_task(self._run())

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until it is so, or the stream has ended."""
        assert self._task is not None
        while not is_so() and not self._task.done():
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Ends the stream."""
        self._stream.close()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            async for event in self._stream:
                self._apply(event)
                self._changed.set()
        finally:
            # The task is done a turn of the loop later.
            asyncio.get_running_loop().call_soon(self._changed.set)
