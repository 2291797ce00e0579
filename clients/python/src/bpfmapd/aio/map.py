"""Handles of maps, of the asynchronous face."""

from __future__ import annotations

import asyncio
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Generic,
    Iterable,
    List,
    Literal,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from bpfmapd import _operations as operations
from bpfmapd._binding import Binding, View
from bpfmapd._choices import choice
from bpfmapd._codecs.codec import CodecLike
from bpfmapd._codecs.kernel_object import KernelObject
from bpfmapd._codecs.resolve import codec_of
from bpfmapd._codecs.scalars import Raw
from bpfmapd._codecs.typed_json import Json
from bpfmapd._columns import decoded
from bpfmapd._dump import DumpOptions, DumpProgress, DumpReader, dump_request
from bpfmapd._handle import Handle
from bpfmapd._load import DEFAULT_CHUNK_BYTES, Packer, like_inner, load_start
from bpfmapd._messages import Seconds
from bpfmapd._records import DEFAULT_CHUNK_BYTES as RECORD_CHUNK_BYTES
from bpfmapd._records import RecordPacker, RecordsReader, records_request, write_start
from bpfmapd._watch import WatchOptions, WatchState
from bpfmapd.aggregates import Aggregate, Number, Top
from bpfmapd.aio.dump import Dump
from bpfmapd.aio.records import RecordsRun, RecordStream
from bpfmapd.aio.requests import RequestCall, Source
from bpfmapd.aio.watch import Watch, WatchRun
from bpfmapd.columns import Columns
from bpfmapd.enums import CpuFold, LoadStrategy, OnError, Projection, UpdateMode, WatchFidelity
from bpfmapd.errors import KeyNotFound, SizeMismatch
from bpfmapd.filters import Filter, Order, WatchFilter
from bpfmapd.info import Applied, Count, LoadResult, MapInfo
from bpfmapd.objects import InnerMap
from bpfmapd.schema import Schema, Typing

if TYPE_CHECKING:
    from bpfmapd.aio.client import Client

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
D = TypeVar("D")
T = TypeVar("T")

ElementSource = Source[Tuple[K, V]]


class Map(Handle[K, V], Generic[K, V]):
    """One map of the host: a reference with codecs, and calls that take it.

    As bpfmapd.Map, but for asyncio: `await m[key]`, `async for key, value in m`. Single
    operations that are made at once travel in one call, unless the client's batching is off.
    """

    def __init__(
        self,
        client: Client,
        ref: Any,
        key: CodecLike[K],
        value: CodecLike[V],
        view: View,
        typing: Optional[Typing] = None,
        created: Optional[bool] = None,
    ) -> None:
        """Use Client.map() or Client.create_map()."""
        super().__init__(ref, codec_of(key), codec_of(value), view, typing, created)
        self._client = client
        # Only bytes travel in columns that can be cut again.
        self._batcher = client._batcher(ref) if self._is_bytes else None
        self._lock: Optional[asyncio.Lock] = None

    def typed(
        self,
        key: CodecLike[K2],
        value: CodecLike[V2],
        *,
        cpu: Optional[int] = None,
        fold: Union[CpuFold, str, None] = None,
        all_cpus: bool = False,
        typing: Optional[Typing] = None,
    ) -> Map[K2, V2]:
        """A handle of the same map with other codecs, or another view of per-CPU values."""
        view = View.of(cpu, fold, all_cpus)
        types = self._typing if typing is None else typing
        return Map(self._client, self.ref, key, value, view, types, self.created)

    def json(
        self,
        typing: Optional[Typing] = None,
        *,
        cpu: Optional[int] = None,
        fold: Union[CpuFold, str, None] = None,
        all_cpus: bool = False,
    ) -> Map[Any, Any]:
        """A handle of the same map whose keys and values are plain values of its types (Json),
        or of those that `typing` names."""
        codec = Json()
        return self.typed(codec, codec, cpu=cpu, fold=fold, all_cpus=all_cpus, typing=typing)

    # What the map is

    async def info(
        self,
        *,
        pins: bool = False,
        holders: bool = False,
        programs: bool = False,
        timeout: Optional[float] = None,
    ) -> MapInfo:
        """What the kernel knows of the map; `pins`, `holders` and `programs` cost a walk on the
        host each."""
        return await self._unary(operations.info(self.ref, pins, holders, programs), timeout)

    async def schema(self, *, timeout: Optional[float] = None) -> Schema:
        """The types of keys and values: the map's own, or those that `typing` of the handle
        names. NoTypes where there are none."""
        return await self._unary(operations.schema(self.ref, self._typing), timeout)

    async def count(
        self, filter: Optional[Filter[K]] = None, *, timeout: Optional[float] = None
    ) -> Count:
        """Counts the elements on the host, all or those that a filter chooses."""
        return await self._unary((await self._elements()).count(filter), timeout)

    async def aggregate(
        self,
        fields: Iterable[Union[Number, str]],
        *,
        filter: Optional[Filter[K]] = None,
        top: Optional[Top] = None,
        timeout: Optional[float] = None,
    ) -> Aggregate[K]:
        """Folds numbers of all elements on the host, without sending them: their sum, least and
        greatest, how they are spread, and the keys that have most. `fields` are paths such as
        "value.bytes", or Numbers. Sums do not wrap around."""
        return await self._unary((await self._elements()).aggregate(fields, filter, top), timeout)

    # Single elements

    def __getitem__(self, key: K) -> Awaitable[V]:
        """`await m[key]`: the value of a key; KeyNotFound, a KeyError, where it is not there."""
        return self._lookup(key, False, None)

    @overload
    async def get(
        self, key: K, *, lock: bool = False, timeout: Optional[float] = None
    ) -> Optional[V]: ...
    @overload
    async def get(
        self, key: K, default: D, *, lock: bool = False, timeout: Optional[float] = None
    ) -> Union[V, D]: ...
    async def get(
        self, key: K, default: Any = None, *, lock: bool = False, timeout: Optional[float] = None
    ) -> Any:
        """The value of a key, or `default`. `lock` takes the value's bpf_spin_lock."""
        try:
            return await self._lookup(key, lock, timeout)
        except KeyNotFound:
            return default

    async def update(
        self,
        key: K,
        value: V,
        *,
        mode: Union[UpdateMode, str] = UpdateMode.ANY,
        lock: bool = False,
        timeout: Optional[float] = None,
    ) -> None:
        """Adds the element or changes its value.

        `mode` "noexist" only adds (KeyExists), "exist" only changes (KeyNotFound). `lock`
        takes the value's bpf_spin_lock.
        """
        if self._batcher is None or lock:
            await self.update_many([(key, value)], mode=mode, lock=lock, timeout=timeout)
            return
        binding = await self._bind()
        await self._batched(
            self._batcher.update(
                binding.key.encode(key),
                binding.value.encode(value),
                choice(UpdateMode, mode, "mode"),
                self._view.writing(),
                timeout,
            )
        )

    async def delete(self, key: K, *, timeout: Optional[float] = None) -> bool:
        """Deletes the element; False where the map has no such element."""
        try:
            if self._batcher is None:
                operation = (await self._elements()).delete([key], OnError.STOP)
                await self._unary(operation, timeout)
            else:
                data = (await self._bind()).key.encode(key)
                await self._batched(self._batcher.delete(data, timeout))
        except KeyNotFound:
            return False
        return True

    @overload
    async def take(self, key: K, *, timeout: Optional[float] = None) -> Optional[V]: ...
    @overload
    async def take(self, key: K, default: D, *, timeout: Optional[float] = None) -> Union[V, D]: ...
    async def take(self, key: K, default: Any = None, *, timeout: Optional[float] = None) -> Any:
        """Reads and deletes the element in one step of the kernel; `default` where there is
        none."""
        try:
            elements = await self._elements()
            if self._batcher is None:
                return await self._unary(elements.take(key), timeout)
            elements.refuse_view("take")
            data = await self._batched(
                self._batcher.take(elements.binding.key.encode(key), timeout)
            )
            return decoded(elements.binding.value, data, "values")
        except KeyNotFound:
            return default

    async def next_key(
        self, key: Optional[K] = None, *, timeout: Optional[float] = None
    ) -> Optional[K]:
        """The key after another in the kernel's order, or the first; None after the last."""
        try:
            return await self._unary((await self._elements()).next_key(key), timeout)
        except KeyNotFound:
            return None

    # Several elements in one call

    async def get_many(
        self, keys: Iterable[K], *, lock: bool = False, timeout: Optional[float] = None
    ) -> List[Optional[V]]:
        """The values of keys, in their order; None where there is no such element."""
        keys = list(keys)
        if not keys:
            return []
        operation = (await self._elements()).lookup_many(keys, lock)
        return await self._unary(operation, timeout)

    async def update_many(
        self,
        elements: Iterable[Tuple[K, V]],
        *,
        mode: Union[UpdateMode, str] = UpdateMode.ANY,
        lock: bool = False,
        on_error: Union[OnError, str] = OnError.STOP,
        timeout: Optional[float] = None,
    ) -> Applied[K]:
        """Writes elements in order. For more than a message holds, use load().

        With on_error "stop" the first that the kernel refuses raises its error, and those
        before it stay written (metadata "index" and "applied"); with "continue" the refused
        ones are in `failures`.
        """
        pairs = list(elements)
        if not pairs:
            return Applied(0, ())
        operation = (await self._elements()).update(
            pairs, choice(UpdateMode, mode, "mode"), lock, choice(OnError, on_error, "on_error")
        )
        return await self._unary(operation, timeout)

    async def delete_many(
        self,
        keys: Iterable[K],
        *,
        on_error: Union[OnError, str] = OnError.CONTINUE,
        timeout: Optional[float] = None,
    ) -> Applied[K]:
        """Deletes elements in order. Keys that are not there are in `failures`; with on_error
        "stop" the first of them raises KeyNotFound."""
        keys = list(keys)
        if not keys:
            return Applied(0, ())
        operation = (await self._elements()).delete(keys, choice(OnError, on_error, "on_error"))
        return await self._unary(operation, timeout)

    async def take_many(
        self, keys: Iterable[K], *, timeout: Optional[float] = None
    ) -> List[Optional[V]]:
        """Takes elements, each in one step; None where there is no such element."""
        keys = list(keys)
        if not keys:
            return []
        return await self._unary((await self._elements()).take_many(keys), timeout)

    # Queues, stacks and bloom filters

    async def push(
        self, *values: V, overwrite_oldest: bool = False, timeout: Optional[float] = None
    ) -> int:
        """Adds values to a queue, stack or bloom filter; returns how many were added.

        MapFull where a queue or stack has no room, unless `overwrite_oldest`.
        """
        if not values:
            return 0
        return await self._unary((await self._elements()).push(values, overwrite_oldest), timeout)

    async def pop(self, *, timeout: Optional[float] = None) -> Optional[V]:
        """Takes the next value out of a queue or stack; None where it is empty."""
        values = await self.pop_many(1, timeout=timeout)
        return values[0] if values else None

    async def pop_many(self, max_count: int, *, timeout: Optional[float] = None) -> List[V]:
        """Takes up to `max_count` values, each in one step; none where it is empty."""
        return await self._unary((await self._elements()).pop(max_count), timeout)

    async def peek(self, *, timeout: Optional[float] = None) -> Optional[V]:
        """The value that pop() would take next; None where it is empty."""
        return await self._unary((await self._elements()).peek(), timeout)

    async def may_contain(self, value: V, *, timeout: Optional[float] = None) -> bool:
        """Whether a bloom filter may have the value; False means that it surely has not."""
        return await self._unary((await self._elements()).may_contain(value), timeout)

    # The whole map

    def __aiter__(self) -> AsyncIterator[Tuple[K, V]]:
        """All elements as pairs: `async for key, value in m`."""
        return self.dump().__aiter__()

    def items(self, filter: Optional[Filter[K]] = None) -> AsyncIterator[Tuple[K, V]]:
        """All elements as pairs, or those that a filter chooses."""
        return self.dump(filter).__aiter__()

    def keys(self, filter: Optional[Filter[K]] = None) -> AsyncIterator[K]:
        """All keys, or those that a filter chooses; no values are sent."""
        return self.dump(filter, projection=Projection.KEYS).keys()

    def values(self, filter: Optional[Filter[K]] = None) -> AsyncIterator[V]:
        """All values, or those that a filter chooses; no keys are sent."""
        return self.dump(filter, projection=Projection.VALUES).values()

    async def columns(
        self, filter: Optional[Filter[K]] = None, *, timeout: Optional[float] = None
    ) -> Columns[K, V]:
        """All elements, or those that a filter chooses, as two columns in memory, from which
        numpy arrays and a DataFrame are made without a copy or with one."""
        self._require_bytes("columns are")
        return await self.dump(filter, timeout=timeout).columns()

    def dump(
        self,
        filter: Optional[Filter[K]] = None,
        *,
        projection: Projection = Projection.KEYS_AND_VALUES,
        chunk_bytes: int = 0,
        max_elements: int = 0,
        max_elements_per_second: int = 0,
        order: Optional[Order] = None,
        on_progress: Optional[Callable[[DumpProgress], None]] = None,
        progress_interval: Optional[Seconds] = None,
        timeout: Optional[float] = None,
    ) -> Dump[K, V]:
        """The elements, to be read once; nothing is sent until they are.

        0 is the daemon's choice of chunks, and no limit. `order` sends the first elements in the
        order of a field, once all have been read. `on_progress` is called every second or
        `progress_interval`, while the dump is read.
        """
        options = DumpOptions(
            chunk_bytes,
            max_elements,
            max_elements_per_second,
            on_progress,
            progress_interval,
            order,
        )

        async def open() -> Tuple[Any, DumpReader[K, V]]:
            request = dump_request(
                self.ref,
                None if filter is None else (await self._elements()).filter_of(filter),
                projection,
                None if projection is Projection.KEYS else self._view.reading(),
                self._format,
                self._typing,
                options,
            )
            reader = DumpReader(projection, self._forms, await self._binder(), options)
            client = self._client
            return client._stream(client.maps.DumpMap, request, timeout=timeout), reader

        return Dump(open, self._client._read)

    async def load(
        self,
        elements: ElementSource[K, V],
        *,
        strategy: Union[LoadStrategy, str] = LoadStrategy.MERGE,
        dry_run: bool = False,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
        timeout: Optional[float] = None,
    ) -> LoadResult:
        """Writes elements into the map, in chunks and only as fast as the daemon takes them.

        `strategy` "replace" makes the map's contents equal to the elements. An element of the
        wrong size, and anything that `elements` raises, ends the load: what earlier chunks
        wrote then stays, and nothing is removed. With `dry_run` nothing is written.
        """
        start = load_start(
            self.ref,
            choice(LoadStrategy, strategy, "strategy"),
            dry_run,
            self._view.writing(),
            self._typing,
        )
        binder = await self._binder()
        packer = Packer(binder((await self.info()).message), chunk_bytes)
        return await self._load(start, packer, elements, timeout)

    async def replace_inner(
        self,
        outer_key: K,
        elements: ElementSource[Any, Any],
        *,
        key: Union[str, CodecLike[Any]] = bytes,
        value: Union[str, CodecLike[Any]] = bytes,
        all_cpus: bool = False,
        typing: Optional[Typing] = None,
        dry_run: bool = False,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
        timeout: Optional[float] = None,
    ) -> LoadResult:
        """For maps of maps: fills a new inner map with the elements and puts it into the slot of
        `outer_key` in one step, so that programs see the old contents or the new ones and never
        a mixture.

        `key`, `value`, `all_cpus` and `typing` are those of the inner map. The new map is like
        the one in the slot, or where the slot is empty like another inner map;
        ObjectUnsuitable where there is none.
        """
        slot = (await self._bind()).key.encode(outer_key)
        strategy = LoadStrategy.REPLACE_ATOMIC
        view = View(all_cpus=all_cpus)
        start = load_start(self.ref, strategy, dry_run, view.writing(), typing, slot)
        inner: Map[Any, Any] = Map(
            self._client, self.ref, codec_of(key), codec_of(value), view, typing
        )
        binder = await inner._binder()
        packer = Packer(binder(await self._inner_map(slot)), chunk_bytes)
        return await self._load(start, packer, elements, timeout)

    async def _inner_map(self, slot: bytes) -> Any:
        """The inner map in a slot, or what another one is like."""
        ref = await self.typed(bytes, KernelObject()).get(slot)
        if isinstance(ref, InnerMap):
            return (await self._client.map(id=ref.id, boot_id=ref.boot_id).info()).message
        return like_inner(await self._unary(operations.info(self.ref, inner_map=True), None))

    async def _load(
        self, start: Any, packer: Any, elements: Source[Any], timeout: Optional[float]
    ) -> LoadResult:
        method = self._client.maps.LoadMap
        return LoadResult.of(await self._send_all(method, start, packer, elements, timeout))

    async def _send_all(
        self,
        method: Callable[..., Any],
        start: Any,
        packer: Any,
        items: Source[Any],
        timeout: Optional[float],
    ) -> Any:
        """Makes a call with a stream of requests, and waits for its answer."""
        call = RequestCall(self._client._stream(method, timeout=timeout))
        await call.send(start, packer, items)
        return await self._client._guarded(call.answer)

    async def clear(self, *, timeout: Optional[float] = None) -> int:
        """Removes every element and returns how many; elements of arrays are set to zero."""
        return await self._unary(operations.clear(self.ref), timeout)

    def watch(
        self,
        filter: Optional[WatchFilter[K]] = None,
        *,
        updates_only: bool = False,
        resume_token: Optional[bytes] = None,
        fidelity: Union[WatchFidelity, str] = WatchFidelity.LATEST,
        poll_interval: Optional[Seconds] = None,
        keys_only: bool = False,
        previous_values: bool = False,
        bookmark_interval: Optional[Seconds] = None,
        follow: bool = False,
    ) -> Watch[K, V]:
        """The contents and their changes, for as long as the loop runs.

        `updates_only` begins with what changes from now on. `resume_token` goes on where an
        earlier watch with the same filter, columns and view stood. `poll_interval` is the
        longest time between two scans, from 10 ms; `bookmark_interval` the longest without a
        bookmark, from 100 ms. `follow` waits, where the map is gone, for its pin, name or hold
        to stand for another one. The objects of maps of kernel objects are not told: give such a
        handle bytes or int, for what the kernel answers.
        """
        self._require_no_objects("a watch")
        options = WatchOptions(
            filter,
            updates_only,
            resume_token,
            choice(WatchFidelity, fidelity, "fidelity"),
            poll_interval,
            keys_only,
            previous_values,
            bookmark_interval,
            follow,
            self._format,
            self._typing,
        )
        client = self._client
        byte_order = "little"

        def binding_of(map: Any) -> Binding[K, V]:
            return self._bind_to(map, byte_order)

        async def open(state: WatchState[K, V]) -> Any:
            nonlocal byte_order
            if self._needs_host:
                byte_order = await client._byte_order()
            binding = (await self._bind()) if state.needs_binding else None
            return client._stream(client.maps.Watch, state.request(binding), timeout=None)

        state = WatchState(self.ref, self._view.reading(), binding_of, options)
        return Watch(WatchRun(open, state, client._read))

    # Records

    @overload
    def records(
        self,
        *,
        exclusive: Literal[True],
        data: CodecLike[T],
        from_now: bool = ...,
        queue_bytes: int = ...,
        pages_per_cpu: int = ...,
        slot: Optional[Tuple[int, int]] = ...,
    ) -> RecordStream[T]: ...
    @overload
    def records(
        self,
        *,
        exclusive: Literal[True],
        from_now: bool = ...,
        queue_bytes: int = ...,
        pages_per_cpu: int = ...,
        slot: Optional[Tuple[int, int]] = ...,
    ) -> RecordStream[bytes]: ...
    @overload
    def records(
        self,
        *,
        exclusive: Literal[True],
        data: str,
        from_now: bool = ...,
        queue_bytes: int = ...,
        pages_per_cpu: int = ...,
        slot: Optional[Tuple[int, int]] = ...,
    ) -> RecordStream[Any]: ...
    def records(
        self,
        *,
        exclusive: Literal[True],
        data: Any = bytes,
        from_now: bool = False,
        queue_bytes: int = 0,
        pages_per_cpu: int = 0,
        slot: Optional[Tuple[int, int]] = None,
    ) -> Any:
        """The records of a ring buffer or a perf event array, as bpfmapd.Map.records()."""
        client = self._client
        codec = codec_of(data)
        request = records_request(self.ref, exclusive, from_now, queue_bytes, pages_per_cpu, slot)

        async def open() -> Tuple[Any, RecordsReader[Any]]:
            byte_order = "little" if isinstance(codec, Raw) else await client._byte_order()
            call = client._stream(client.maps.ReadRecords, request, timeout=None)
            return call, RecordsReader(codec, byte_order)

        return RecordStream(RecordsRun(open, client._read))

    async def write_records(
        self,
        records: Source[bytes],
        *,
        fail_when_full: bool = False,
        chunk_bytes: int = RECORD_CHUNK_BYTES,
        timeout: Optional[float] = None,
    ) -> int:
        """Writes records into a user ring buffer, in order and as fast as programs drain it;
        returns how many.

        `fail_when_full` raises RingFull instead of waiting. What was written before an error
        stays: its number is the error's metadata "written". A source that takes its time has
        what it yielded sent before.
        """
        start, packer = write_start(self.ref, fail_when_full), RecordPacker(chunk_bytes)
        method = self._client.maps.WriteRecords
        return int((await self._send_all(method, start, packer, records, timeout)).written)

    # The map's life

    async def pin(
        self, path: str, *, create_parents: bool = False, timeout: Optional[float] = None
    ) -> None:
        """Pins the map at a path inside the host's bpffs roots; PinExists where it is taken."""
        await self._unary(operations.pin(self.ref, path, create_parents), timeout)

    async def hold(
        self, name: str, lease: Optional[Seconds] = None, *, timeout: Optional[float] = None
    ) -> MapInfo:
        """Has the daemon keep the map alive under a name, until release() or for a lease."""
        return await self._unary(operations.hold(self.ref, name, lease), timeout)

    async def freeze(self, *, timeout: Optional[float] = None) -> None:
        """Forbids user space to write the map, for good; programs still can."""
        await self._unary(operations.freeze(self.ref), timeout)

    # Memory

    async def read_memory(
        self, offset: int, length: int, *, timeout: Optional[float] = None
    ) -> bytes:
        """Bytes of the memory of an arena, or of an array with CreateFlag.MMAPABLE.

        `offset` is in bytes from the map's start; elements of an array stand value_size rounded
        up to 8 bytes apart.
        """
        return await self._unary(operations.read_memory(self.ref, offset, length), timeout)

    async def write_memory(
        self, offset: int, data: bytes, *, timeout: Optional[float] = None
    ) -> None:
        """Writes bytes into such memory. Programs may see a part of them before the whole."""
        await self._unary(operations.write_memory(self.ref, offset, data), timeout)

    async def _lookup(self, key: K, lock: bool, timeout: Optional[float]) -> V:
        if self._batcher is None or lock:
            operation = (await self._elements()).lookup(key, lock)
            return await self._unary(operation, timeout)
        binding = await self._bind()
        data = await self._batched(
            self._batcher.lookup(binding.key.encode(key), self._view.reading(), timeout)
        )
        try:
            return decoded(binding.value, data, "values")
        except SizeMismatch:
            self._forget()
            raise

    async def _batched(self, operation: Awaitable[T]) -> T:
        try:
            return await operation
        except SizeMismatch:
            self._forget()
            raise

    async def _unary(self, operation: operations.Operation[T], timeout: Optional[float]) -> T:
        try:
            return await self._client._unary(operation, timeout)
        except SizeMismatch:
            self._forget()
            raise

    async def _elements(self) -> operations.Elements[K, V]:
        return operations.Elements(self.ref, await self._bind(), self._view, self._typing)

    async def _bind(self) -> Binding[K, V]:
        if self._binding is not None:
            return self._binding
        if self._lock is None:
            self._lock = asyncio.Lock()
        # Operations that are made at once ask only once, and go on in their order.
        async with self._lock:
            if self._binding is None:
                binder = await self._binder()
                self._binding = binder((await self.info()).message)
            return self._binding

    async def _binder(self) -> Callable[[Any], Binding[K, V]]:
        """Binds the codecs to a map's message; asks the host for its byte order now."""
        byte_order = "little" if not self._needs_host else await self._client._byte_order()
        return lambda map: self._bind_to(map, byte_order)
