"""What a user of a watch writes: a copy of the map, kept by what the watch yields."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List

import pytest

import bpfmapd
import bpfmapd.aio
from bpfmapd import Delete, Put, Resync
from bpfmapd.enums import ResyncReason

LONGEST_S = 50.0


class Copy:
    """The contents, and what was told."""

    def __init__(self) -> None:
        self.contents: Dict[int, Any] = {}
        self.resyncs: List[ResyncReason] = []
        self.events: List[Any] = []

    def apply(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, Put):
            self.contents[event.key] = event.value
        elif isinstance(event, Delete):
            self.contents.pop(event.key, None)
        elif isinstance(event, Resync):
            self.contents.clear()
            self.resyncs.append(event.reason)


class Mirror(Copy):
    """Applies what a watch of asyncio yields, in a task."""

    def __init__(self, watch: bpfmapd.aio.Watch[int, int]) -> None:
        super().__init__()
        self.watch = watch
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self.watch:
            self.apply(event)
            self._changed.set()

    async def until(self, condition: Callable[[], bool], longest: float = LONGEST_S) -> None:
        async def wait() -> None:
            while not condition():
                self._changed.clear()
                await self._changed.wait()

        waiting = asyncio.create_task(wait())
        done, _ = await asyncio.wait(
            [waiting, self.task], timeout=longest, return_when=asyncio.FIRST_COMPLETED
        )
        if waiting not in done:
            waiting.cancel()
            if self.task in done:
                self.task.result()
            pytest.fail(f"the watch ended or hangs; it told {self.events[-5:]}")

    async def stop(self) -> None:
        self.watch.close()
        self.task.cancel()
        await asyncio.wait([self.task])


class ThreadMirror(Copy):
    """Applies what a watch of the synchronous face yields, in a thread."""

    def __init__(self, watch: bpfmapd.Watch[int, int]) -> None:
        super().__init__()
        self.watch = watch
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for event in self.watch:
                with self._changed:
                    self.apply(event)
                    self._changed.notify_all()
        except Exception as error:
            with self._changed:
                self.events.append(error)
                self._changed.notify_all()

    def until(self, condition: Callable[[], bool], longest: float = LONGEST_S) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, longest):
                pytest.fail(f"the watch ended or hangs; it told {self.events[-5:]}")

    def stop(self) -> None:
        self.watch.close()
        self._thread.join()
