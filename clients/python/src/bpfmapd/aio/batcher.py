"""Automatic batching: single operations that are made at once travel in one call."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Deque, Dict, List, Optional, Set

import grpc

from bpfmapd._columns import errors_by_index
from bpfmapd._gen.bpfmap.v1 import map_service_pb2 as pb
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuTarget, CpuView, Elements
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._ref import told
from bpfmapd.enums import OnError, UpdateMode
from bpfmapd.errors import (
    BpfmapError,
    Cancelled,
    InvalidArgument,
    ProtocolError,
    SizeMismatch,
    invalid,
)

# Sends a request of a method, within seconds.
Send = Callable[[str, Any, Optional[float]], Awaitable[Any]]


@dataclass(frozen=True)
class Batching:
    """How single operations on one map are joined.

    Those made in one turn of the event loop travel together, and so do those that are made
    while a call is under way. Nothing waits where nothing is under way. Operations on one key
    take effect in the order in which they were made.
    """

    max_elements: int = 1024
    """Most elements in one call."""
    max_bytes: int = 1024 * 1024
    """About the most bytes of keys and values in one call."""
    max_delay: float = 0.001
    """Longest time, in seconds, that an operation waits for others while a call is under way.
    One on a key of which a call is under way waits for that call."""

    def __post_init__(self) -> None:
        if self.max_elements < 1 or self.max_bytes < 1 or self.max_delay < 0:
            raise invalid("a batch has at least one element and byte, and no negative delay")


@dataclass(frozen=True)
class _Group:
    """What operations must have in common to travel together."""

    method: str
    timeout: Optional[float]
    # Back to back, keys of two lengths could pass for others of the right one. So one of the
    # wrong size travels alone and fails alone.
    key_size: int
    value_size: int = 0
    # Messages cannot be compared by hash: the serialized view or target.
    slots: bytes = b""
    mode: UpdateMode = UpdateMode.ANY

    @property
    def only_reads(self) -> bool:
        return self.method == "LookupElements"


class _Pending:
    """An operation that somebody waits for."""

    __slots__ = ("batch", "future", "group", "key", "value")

    def __init__(self, group: _Group, key: bytes, value: bytes, future: asyncio.Future[Any]):
        self.group = group
        self.key = key
        self.value = value
        self.future = future
        self.batch: Optional[_Batch] = None


class _Batch:
    """Operations that travel in one call."""

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.operations: List[_Pending] = []
        self.task: Optional[asyncio.Task[None]] = None

    def has_room(self, limits: Batching) -> bool:
        count = len(self.operations)
        size = (self.group.key_size + self.group.value_size) * (count + 1)
        return count < limits.max_elements and size <= limits.max_bytes

    def is_abandoned(self) -> bool:
        return all(operation.future.done() for operation in self.operations)


class Batcher:
    """The single operations on one map, of all its handles."""

    def __init__(self, send: Send, ref: MapRef, limits: Batching) -> None:
        self._send = send
        self._ref = ref
        self._limits = limits
        self._waiting: Deque[_Pending] = deque()
        self._running: Set[_Batch] = set()
        # How many calls under way have a key, and whether all of them only read it.
        self._busy: Dict[bytes, List[int]] = {}
        self._timer: Optional[asyncio.Handle] = None
        self._timer_is_soon = False

    def lookup(
        self, key: bytes, view: Optional[CpuView], timeout: Optional[float]
    ) -> Awaitable[bytes]:
        """The value of a key; KeyNotFound where it is not there."""
        group = _Group("LookupElements", timeout, len(key), slots=_slots(view))
        return self._submit(group, key)

    def take(self, key: bytes, timeout: Optional[float]) -> Awaitable[bytes]:
        """Reads and deletes an element; KeyNotFound where it is not there."""
        return self._submit(_Group("TakeElements", timeout, len(key)), key)

    def delete(self, key: bytes, timeout: Optional[float]) -> Awaitable[None]:
        """Deletes an element; KeyNotFound where it is not there."""
        return self._submit(_Group("DeleteElements", timeout, len(key)), key)

    def update(
        self,
        key: bytes,
        value: bytes,
        mode: UpdateMode,
        target: Optional[CpuTarget],
        timeout: Optional[float],
    ) -> Awaitable[None]:
        """Writes an element."""
        size, slots = len(value), _slots(target)
        group = _Group("UpdateElements", timeout, len(key), size, slots, mode)
        return self._submit(group, key, value)

    def close(self) -> List[asyncio.Task[None]]:
        """Fails what waits; what is under way ends with its call. Returns its tasks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for pending in self._waiting:
            _fail(pending, _client_closed())
        self._waiting.clear()
        return [batch.task for batch in self._running if batch.task is not None]

    async def _submit(self, group: _Group, key: bytes, value: bytes = b"") -> Any:
        pending = _Pending(group, key, value, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._schedule(soon=not self._running or self._is_full())
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._abandon(pending)
            raise

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._limits.max_elements

    def _schedule(self, *, soon: bool) -> None:
        """Has what waits sent in the next turn of the loop, or at the latest after the delay."""
        if self._timer is not None:
            if self._timer_is_soon or not soon:
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer_is_soon = soon
        self._timer = (
            loop.call_soon(self._flush)
            if soon
            else loop.call_later(self._limits.max_delay, self._flush)
        )

    def _flush(self) -> None:
        """Sends what waits and need not wait longer."""
        self._timer = None
        open_batches: Dict[_Group, _Batch] = {}
        batch_of: Dict[bytes, _Batch] = {}
        held_back: Set[bytes] = set()
        batches: List[_Batch] = []
        rest: Deque[_Pending] = deque()
        for pending in self._waiting:
            if pending.future.done():
                continue
            key, group = pending.key, pending.group
            batch = open_batches.get(group)
            if batch is None or not batch.has_room(self._limits):
                batch = _Batch(group)
            if (
                key in held_back
                or self._must_wait(pending)
                or batch_of.get(key, batch) is not batch
            ):
                # Whatever follows on this key waits too, so that its order is kept.
                held_back.add(key)
                rest.append(pending)
                continue
            if not batch.operations:
                open_batches[group] = batch
                batches.append(batch)
            batch.operations.append(pending)
            pending.batch = batch
            batch_of[key] = batch
        self._waiting = rest
        for batch in batches:
            self._start(batch)

    def _must_wait(self, pending: _Pending) -> bool:
        busy = self._busy.get(pending.key)
        return busy is not None and not (busy[1] and pending.group.only_reads)

    def _start(self, batch: _Batch) -> None:
        for pending in batch.operations:
            busy = self._busy.setdefault(pending.key, [0, True])
            busy[0] += 1
            busy[1] = bool(busy[1] and batch.group.only_reads)
        self._running.add(batch)
        batch.task = asyncio.get_running_loop().create_task(self._run(batch))

    async def _run(self, batch: _Batch) -> None:
        try:
            await self._call(batch.group, batch.operations)
        except asyncio.CancelledError:
            # Nobody waits for it any more, or the client was closed.
            for pending in batch.operations:
                _fail(pending, _client_closed())
        except Exception as error:
            for pending in batch.operations:
                _fail(pending, error)
        finally:
            self._finish(batch)

    def _finish(self, batch: _Batch) -> None:
        self._running.discard(batch)
        for pending in batch.operations:
            busy = self._busy[pending.key]
            busy[0] -= 1
            if busy[0] == 0:
                del self._busy[pending.key]
        if self._waiting:
            self._schedule(soon=True)

    async def _call(self, group: _Group, operations: List[_Pending]) -> None:
        """Makes the call. Where one element spoils it for all, each half gets its own."""
        try:
            answer = await self._send(group.method, self._request(group, operations), group.timeout)
        except BpfmapError as error:
            if len(operations) > 1 and _may_be_of_one(error):
                middle = len(operations) // 2
                await self._call(group, operations[:middle])
                await self._call(group, operations[middle:])
                return
            for pending in operations:
                _fail(pending, error)
            return
        _settle(answer, operations, told(self._ref))

    def _request(self, group: _Group, operations: List[_Pending]) -> Any:
        count = len(operations)
        keys = b"".join([pending.key for pending in operations])
        # The error of a call for one element says more than a failure among several.
        on_error = (OnError.STOP if count == 1 else OnError.CONTINUE).wire
        if group.method == "LookupElements":
            view = CpuView.FromString(group.slots) if group.slots else None
            return pb.LookupElementsRequest(
                map=self._ref, keys=keys, count=count, cpu_view=view, on_error=on_error
            )
        if group.method == "TakeElements":
            return pb.TakeElementsRequest(map=self._ref, keys=keys, count=count, on_error=on_error)
        if group.method == "DeleteElements":
            return pb.DeleteElementsRequest(
                map=self._ref, keys=keys, count=count, on_error=on_error
            )
        values = b"".join([pending.value for pending in operations])
        return pb.UpdateElementsRequest(
            map=self._ref,
            elements=Elements(count=count, keys=keys, values=values),
            mode=group.mode.wire,
            cpu_target=CpuTarget.FromString(group.slots) if group.slots else None,
            on_error=on_error,
        )

    def _abandon(self, pending: _Pending) -> None:
        """Nobody waits for it any more. The call goes on for the others."""
        batch = pending.batch
        if batch is not None and batch.task is not None and batch.is_abandoned():
            batch.task.cancel()


def _settle(answer: Any, operations: List[_Pending], map_name: str) -> None:
    """Tells each operation what became of it."""
    failed = errors_by_index(answer.failures, map_name)
    count = len(operations)
    size, values = 0, b""
    if isinstance(answer, (pb.LookupElementsResponse, pb.TakeElementsResponse)):
        values = answer.elements.values
        size = len(values) // count
        if answer.elements.count != count or size * count != len(values):
            raise ProtocolError(
                f"the daemon answered {answer.elements.count} elements in {len(values)} bytes "
                f"for {count} keys"
            )
    for index, pending in enumerate(operations):
        if pending.future.done():
            continue
        error = failed.get(index)
        if error is not None:
            pending.future.set_exception(error)
        else:
            pending.future.set_result(values[index * size : (index + 1) * size])


def _fail(pending: _Pending, error: Exception) -> None:
    if pending.future.done():
        return
    # Each gets one of its own, for raising an error changes it.
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    pending.future.set_exception(own)


def _may_be_of_one(error: BpfmapError) -> bool:
    """Whether it refuses the call for one of its elements or for their number. Such a call has
    changed nothing, so it can be made again in parts."""
    if error.reason == "LIMIT_EXCEEDED":
        return True
    return isinstance(error, InvalidArgument) and not isinstance(error, SizeMismatch)


def _client_closed() -> Cancelled:
    return Cancelled("the client was closed", code=grpc.StatusCode.CANCELLED)


def _slots(message: Any) -> bytes:
    return b"" if message is None else bytes(message.SerializeToString())
