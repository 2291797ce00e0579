"""Events that come step by step, and that no timeout loses."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Callable, Deque, Generic, Optional, TypeVar

E = TypeVar("E")


class Stepper(ABC, Generic[E]):
    """Yields the events that steps of its own bring. grpc ends a call whose reader is cancelled,
    so a step goes on where whoever waits for it is cancelled."""

    def __init__(self) -> None:
        self._call: Any = None
        self._events: Deque[E] = deque()
        self._over = False
        self._step: Optional[asyncio.Task[None]] = None

    @abstractmethod
    async def _advance(self) -> None:
        """Makes one step: adds events, or sets `_over` where no more come."""

    async def next(self) -> Optional[E]:
        """The next event; None where no more comes."""
        await self._until(lambda: bool(self._events))
        return self._events.popleft() if self._events else None

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Makes steps until it is so, or no more comes."""
        while not condition() and not self._over:
            if self._step is None:
                self._step = asyncio.get_running_loop().create_task(self._advance())
            step = self._step
            try:
                await asyncio.shield(step)
            except asyncio.CancelledError:
                if not (self._over and step.done()):
                    raise
            finally:
                if step.done():
                    self._step = None

    def close(self) -> None:
        """Ends the call and the pauses."""
        self._over = True
        self._events.clear()
        # The event loop may have been closed before.
        with contextlib.suppress(RuntimeError):
            if self._step is not None:
                self._step.cancel()
                self._step.add_done_callback(_ignore)
            self._drop_call()

    def _drop_call(self) -> None:
        """Ends the call and lets it go: a call keeps its connection, also of a client that is
        closed."""
        if self._call is not None:
            self._call.cancel()
            self._call = None


def _ignore(step: asyncio.Task[None]) -> None:
    """Takes note of how a step ended that nobody waits for any more."""
    if not step.cancelled():
        step.exception()
