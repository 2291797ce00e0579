"""Watches of the synchronous face."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Callable, Dict, Generic, Iterator, Optional, Type, TypeVar

import grpc

from bpfmapd._gen.bpfmap.v1.watch_pb2 import WatchResponse
from bpfmapd._watch import WatchState
from bpfmapd.errors import BpfmapError
from bpfmapd.events import Event
from bpfmapd.fleet_watch import FleetEvent

K = TypeVar("K")
V = TypeVar("V")


class Watch(Generic[K, V]):
    """A map's contents and their changes (see bpfmapd.events), to be iterated once.

    It outlives cut connections and restarts of the daemon: it connects again, with growing
    pauses, and goes on where it was; where that cannot be, a Resync says so and the contents
    follow anew. It raises what cannot pass: a map that is not there at the first call, a bad
    request, a refused permission. `close()`, also from another thread, ends the loop.
    """

    def __init__(self, run: WatchRun[K, V]) -> None:
        self._run = run
        self._events = run.events()

    @property
    def resume_token(self) -> Optional[bytes]:
        """Where it stands: what a later watch could go on from, while the daemon runs."""
        state: WatchState[K, V] = self._run.state
        return state.resume_token

    def __iter__(self) -> Iterator[Event[K, V]]:
        return self

    def __next__(self) -> Event[K, V]:
        return next(self._events)

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._run.close()

    def __enter__(self) -> Watch[K, V]:
        return self

    def __exit__(
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
        self._events: Iterator[Any] = run.events()

    @property
    def positions(self) -> Dict[str, bytes]:
        """Where the hosts stand: what a later watch can go on from, by any relay of the fleet."""
        state: Any = self._run.state
        positions: Dict[str, bytes] = state.positions
        return positions

    def __iter__(self) -> Iterator[FleetEvent]:
        return self

    def __next__(self) -> FleetEvent:
        event: FleetEvent = next(self._events)
        return event

    def close(self) -> None:
        """Ends it, wherever it is."""
        self._run.close()

    def __del__(self) -> None:
        self.close()


class WatchRun(Generic[K, V]):
    """The calls of a watch. It does not know the Watch, which could not become garbage then."""

    def __init__(
        self,
        open: Callable[[Any], Any],
        state: Any,
        errors: Callable[[grpc.RpcError], BpfmapError],
    ) -> None:
        self.state = state
        self._open = open
        self._errors = errors
        self._call: Any = None
        self._closed = threading.Event()

    def events(self) -> Iterator[Event[K, V]]:
        """The events of one call after another."""
        while not self._closed.is_set():
            try:
                for message in self._messages():
                    yield from self.state.feed(message)
                return
            except BpfmapError as error:
                if self._closed.is_set():
                    return
                failure = error
            gone = self.state.gone(failure)
            if gone is not None:
                yield gone
                return
            if self._closed.wait(self.state.pause(failure)):
                return
            yield from self.state.start_over()

    def close(self) -> None:
        """Ends the call and the pauses."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def _messages(self) -> Iterator[WatchResponse]:
        self._call = call = self._open(self.state)
        if self._closed.is_set():
            call.cancel()
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._errors(error) from error
        finally:
            call.cancel()
