"""Watches of the asynchronous face."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Awaitable, Callable, Dict, Generic, Optional, Type, TypeVar

import grpc

from bpfmapd._watch import WatchState
from bpfmapd.aio.stepper import Stepper
from bpfmapd.errors import BpfmapError
from bpfmapd.events import Event
from bpfmapd.fleet_watch import FleetEvent

K = TypeVar("K")
V = TypeVar("V")


class Watch(Generic[K, V]):
    """A map's contents and their changes (see bpfmapd.events): `async for event in m.watch()`.

    It outlives cut connections and restarts of the daemon: it connects again, with growing
    pauses, and goes on where it was; where that cannot be, a Resync says so and the contents
    follow anew. It raises what cannot pass: a map that is not there at the first call, a bad
    request, a refused permission. Waiting for an event with a timeout loses none.
    """

    def __init__(self, run: WatchRun[K, V]) -> None:
        self._run = run

    @property
    def resume_token(self) -> Optional[bytes]:
        """Where it stands: what a later watch could go on from, while the daemon runs."""
        state: WatchState[K, V] = self._run.state
        return state.resume_token

    def __aiter__(self) -> Watch[K, V]:
        return self

    async def __anext__(self) -> Event[K, V]:
        event = await self._run.next()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._run.close()

    async def __aenter__(self) -> Watch[K, V]:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Whoever leaves a loop over m.watch() has nothing to close it by.
        self.close()


class FleetWatch:
    """A map on many hosts (see bpfmapd.fleet_watch), to be iterated once.

    It outlives cut connections and relays that go: it connects again, with growing pauses, and
    each host goes on where it was. It raises what cannot pass: a relay that is not there at
    first, a bad request, a refused permission. `close()` ends the loop.
    """

    def __init__(self, run: WatchRun[Any, Any]) -> None:
        self._run = run

    @property
    def positions(self) -> Dict[str, bytes]:
        """Where the hosts stand: what a later watch can go on from, by any relay of the fleet."""
        state: Any = self._run.state
        positions: Dict[str, bytes] = state.positions
        return positions

    def __aiter__(self) -> FleetWatch:
        return self

    async def __anext__(self) -> FleetEvent:
        event: Any = await self._run.next()
        if event is None:
            raise StopAsyncIteration
        told: FleetEvent = event
        return told

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._run.close()

    def __del__(self) -> None:
        self.close()


class WatchRun(Stepper[Event[K, V]], Generic[K, V]):
    """The calls of a watch. It does not know the Watch, which could not become garbage then."""

    def __init__(
        self,
        open: Callable[[Any], Awaitable[Any]],
        state: Any,
        read: Callable[[Any], Awaitable[Any]],
    ) -> None:
        super().__init__()
        self.state = state
        self._open = open
        self._read = read

    async def _advance(self) -> None:
        """Reads one message, or makes the call anew."""
        try:
            if self._call is None:
                self._call = await self._open(self.state)
            message = await self._read(self._call)
            if message is grpc.aio.EOF:
                self._over = True
            else:
                self._events.extend(self.state.feed(message))
            return
        except BpfmapError as error:
            failure = error
        self._drop_call()
        await self._recover(failure)

    async def _recover(self, failure: BpfmapError) -> None:
        gone = self.state.gone(failure)
        if gone is not None:
            self._over = True
            self._events.append(gone)
            return
        try:
            pause = self.state.pause(failure)
        except BpfmapError:
            self._over = True
            raise
        await asyncio.sleep(pause)
        self._events.extend(self.state.start_over())
