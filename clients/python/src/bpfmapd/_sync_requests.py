"""Streams of requests of the synchronous face."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Iterable, Iterator

# Messages that wait for grpc: one that it sends, and the next.
_WAITING = 2


def send_all(
    start_call: Callable[[Iterator[Any]], Any], start: Any, packer: Any, items: Iterable[Any]
) -> Any:
    """Sends the first request and what a packer makes of items, as fast as they are taken, and
    returns the call, whose result is to come.

    grpc reads requests in a thread of its own, but `items` runs in the caller's: whose iterable
    it is may not be fit for another thread. What it raises ends the call first, so that the
    daemon never takes a part for the whole.
    """
    handoff = _LiveHandoff(packer) if packer.is_live else _Handoff(packer)
    call = start_call(handoff)
    call.add_done_callback(lambda _: handoff.end())
    try:
        if handoff.put(start) and all(map(handoff.add, items)):
            for rest in packer.rest():
                handoff.put(rest)
    except BaseException:
        call.cancel()
        raise
    finally:
        handoff.end()
    return call


class _Handoff(Iterator[Any]):
    """A short queue from the caller's thread to grpc's."""

    def __init__(self, packer: Any) -> None:
        self._packer = packer
        self._waiting: Deque[Any] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def add(self, item: Any) -> bool:
        """Takes an item; False where the call is over."""
        full = self._packer.add(item)
        return full is None or self.put(full)

    def put(self, request: Any) -> bool:
        """Waits until there is room; False where the call is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._waiting) < _WAITING)
            if self._ended:
                return False
            self._waiting.append(request)
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """No more follows."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _fill(self) -> None:
        """Called where grpc could send more."""

    def __next__(self) -> Any:
        with self._changed:
            self._changed.wait_for(self._has_more)
            if not self._waiting:
                raise StopIteration
            request = self._waiting.popleft()
            self._changed.notify_all()
            return request

    def _has_more(self) -> bool:
        if not self._waiting:
            self._fill()
        return bool(self._waiting) or self._ended


class _LiveHandoff(_Handoff):
    """Has sent what is there where grpc could send more, so that no item waits for others."""

    def add(self, item: Any) -> bool:
        # The packer is then used by two threads.
        with self._changed:
            if not super().add(item):
                return False
            self._changed.notify_all()
            return not self._ended

    def _fill(self) -> None:
        self._waiting.extend(self._packer.rest())
