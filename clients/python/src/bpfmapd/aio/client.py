"""The asynchronous face: connect() and Client."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)
from weakref import WeakSet, WeakValueDictionary

import grpc
import grpc.aio
from google.protobuf.message import Message

from bpfmapd import _daemon_operations as operations
from bpfmapd._address import DEFAULT_ADDRESS
from bpfmapd._binding import View
from bpfmapd._channel import (
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    Connection,
    Option,
    Tls,
    Token,
)
from bpfmapd._codecs.codec import CodecLike
from bpfmapd._codecs.resolve import codec_of
from bpfmapd._daemon_operations import CreateArgs, TypeLike
from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2 import ListHostsRequest
from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2_grpc import FleetServiceStub
from bpfmapd._gen.bpfmap.v1.element_pb2 import ElementFilter
from bpfmapd._gen.bpfmap.v1.host_service_pb2 import ExplainAccessResponse, GetHostRequest
from bpfmapd._gen.bpfmap.v1.host_service_pb2_grpc import HostServiceStub
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef, MapSpec
from bpfmapd._gen.bpfmap.v1.map_service_pb2_grpc import MapServiceStub
from bpfmapd._messages import Seconds
from bpfmapd._operations import Operation
from bpfmapd._ref import map_ref
from bpfmapd._watch import WatchOptions
from bpfmapd.aggregates import Number, Top
from bpfmapd.aio.batcher import Batcher, Batching
from bpfmapd.aio.map import Map
from bpfmapd.aio.watch import FleetWatch, WatchRun
from bpfmapd.enums import CpuFold, WatchFidelity
from bpfmapd.errors import BpfmapError, Cancelled, Unavailable
from bpfmapd.filters import WatchFilter
from bpfmapd.fleet import FleetHost, HostAnswer, HostSelector, fan_out_request, host_answer
from bpfmapd.fleet_aggregates import (
    FleetAggregate,
    FleetAggregateOptions,
    fleet_aggregate_request,
)
from bpfmapd.fleet_watch import FleetWatchState
from bpfmapd.info import Hold, HostInfo, MapInfo, MapTypeCapabilities, host_info
from bpfmapd.schema import Typing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2_grpc import FleetServiceAsyncStub
    from bpfmapd._gen.bpfmap.v1.host_service_pb2_grpc import HostServiceAsyncStub
    from bpfmapd._gen.bpfmap.v1.map_service_pb2_grpc import MapServiceAsyncStub
    from bpfmapd.client import MapArgs

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def connect(
    address: str = DEFAULT_ADDRESS,
    *,
    tls: Optional[Tls] = None,
    plaintext: bool = False,
    token: Optional[Token] = None,
    timeout: Optional[float] = DEFAULT_TIMEOUT,
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    channel_options: Sequence[Option] = (),
    batching: Optional[Batching] = Batching(),  # noqa: B008  (it cannot change)
) -> Client:
    """Makes a client of a daemon, as bpfmapd.connect().

    Single operations on one map (get, update, delete, take) that are made at once travel in
    one call: see Batching; None turns it off.
    """
    return Client(
        Connection(address, tls, plaintext, token, timeout, max_message_bytes, channel_options),
        batching,
    )


class Client:
    """A connection to one daemon, for the event loop that first uses it. Close it, or use it
    with `async with`."""

    def __init__(self, connection: Connection, batching: Optional[Batching]) -> None:
        """Use connect()."""
        self._connection = connection
        self._batching = batching
        self._made: Optional[grpc.aio.Channel] = None
        self._maps: Optional[MapServiceAsyncStub] = None
        self._hosts: Optional[HostServiceAsyncStub] = None
        self._fleet: Optional[FleetServiceAsyncStub] = None
        self._closed = False
        self._host_info: Optional[HostInfo] = None
        # A channel that is closed does not find all of its calls.
        self._calls: WeakSet[Any] = WeakSet()
        # Of all handles of one map, as long as there is one.
        self._batchers: WeakValueDictionary[bytes, Batcher] = WeakValueDictionary()

    @property
    def address(self) -> str:
        """The daemon's address, as grpc takes it."""
        return self._connection.target

    @property
    def maps(self) -> MapServiceAsyncStub:
        """Every RPC of MapService, with messages of bpfmapd.proto; they raise grpc.RpcError, of
        which BpfmapError.from_rpc() makes an error of this package."""
        if self._maps is None:
            self._maps = MapServiceStub(self._channel())
        return self._maps

    @property
    def host(self) -> HostServiceAsyncStub:
        """Every RPC of HostService, as `maps`."""
        if self._hosts is None:
            self._hosts = HostServiceStub(self._channel())
        return self._hosts

    @property
    def fleet(self) -> FleetServiceAsyncStub:
        """Every RPC of FleetService, which relays serve, as `maps`."""
        if self._fleet is None:
            self._fleet = FleetServiceStub(self._channel())
        return self._fleet

    async def close(self) -> None:
        """Closes the connection. Calls that run fail with Cancelled, and so do later ones."""
        self._closed = True
        batchers = list(self._batchers.values())
        tasks = [task for batcher in batchers for task in batcher.close()]
        for call in list(self._calls):
            call.cancel()
        if self._made is not None:
            await self._made.close()
        if tasks:
            await asyncio.wait(tasks)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def wait_for_ready(self, timeout: float) -> None:
        """Waits until there is a connection; Unavailable where there is none in time."""
        channel = self._channel()
        until = time.monotonic() + timeout
        try:
            state = channel.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                left = until - time.monotonic()
                await asyncio.wait_for(channel.wait_for_state_change(state), left)
                state = channel.get_state(try_to_connect=True)
        except asyncio.TimeoutError:
            raise Unavailable(
                f"no connection to bpfmapd at {self.address} within {timeout} s",
                code=grpc.StatusCode.UNAVAILABLE,
            ) from None

    async def host_info(self, *, timeout: Optional[float] = None) -> HostInfo:
        """What host, boot, kernel and daemon it is."""
        answer = await self._call(self.host.GetHost, GetHostRequest(), timeout)
        self._host_info = host_info(answer)
        return self._host_info

    async def capabilities(
        self, *types: TypeLike, timeout: Optional[float] = None
    ) -> List[MapTypeCapabilities]:
        """What the running kernel accepts for each map type, or for some."""
        request = operations.capabilities_request(types)
        answer = await self._call(self.host.GetCapabilities, request, timeout)
        return [MapTypeCapabilities.of(each) for each in answer.types]

    async def explain_access(
        self, verb: str, ref: Optional[MapRef] = None, *, timeout: Optional[float] = None
    ) -> ExplainAccessResponse:
        """Whether the daemon's policy allows a verb ("read", "write", ...) on a map, or on any."""
        request = operations.explain_request(verb, ref)
        answer: ExplainAccessResponse = await self._call(self.host.ExplainAccess, request, timeout)
        return answer

    # Fleets

    async def fleet_hosts(
        self, hosts: Optional[HostSelector] = None, *, timeout: Optional[float] = None
    ) -> AsyncIterator[FleetHost]:
        """The hosts of a fleet, as bpfmapd.Client.fleet_hosts()."""
        request = ListHostsRequest(selector=hosts)
        while True:
            answer = await self._call(self.fleet.ListHosts, request, timeout)
            for host in answer.hosts:
                yield host
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def fan_out(
        self,
        *requests: Message,
        hosts: Optional[HostSelector] = None,
        concurrency: int = 0,
        host_timeout: Optional[Seconds] = None,
        all_timeout: Optional[Seconds] = None,
        max_failures: Optional[int] = None,
    ) -> AsyncIterator[HostAnswer]:
        """A call of MapService on every host that matches, as bpfmapd.Client.fan_out()."""
        options = (hosts, concurrency, host_timeout, all_timeout, max_failures)
        request = fan_out_request(requests, *options)
        call = self._stream(self.fleet.FanOut, request, timeout=None)
        try:
            while True:
                response = await self._read(call)
                if response is grpc.aio.EOF:
                    return
                yield host_answer(response)
        finally:
            call.cancel()

    async def fleet_aggregate(
        self,
        map: MapRef,
        fields: Iterable[Union[Number, str]],
        *,
        hosts: Optional[HostSelector] = None,
        filter: Optional[ElementFilter] = None,
        top: Optional[Top] = None,
        keys_per_host: int = 0,
        concurrency: int = 0,
        host_timeout: Optional[Seconds] = None,
        interval: Optional[Seconds] = None,
        per_host: bool = False,
    ) -> AsyncIterator[FleetAggregate]:
        """Numbers folded over every host that matches, as bpfmapd.Client.fleet_aggregate()."""
        options = FleetAggregateOptions(
            hosts, filter, top, keys_per_host, concurrency, host_timeout, interval, per_host
        )
        request = fleet_aggregate_request(map, fields, options)
        call = self._stream(self.fleet.Aggregate, request, timeout=None)
        try:
            while True:
                response = await self._read(call)
                if response is grpc.aio.EOF:
                    return
                yield FleetAggregate.of(response)
        finally:
            call.cancel()

    def fleet_watch(
        self,
        map: MapRef,
        *,
        hosts: Optional[HostSelector] = None,
        filter: Optional[WatchFilter[bytes]] = None,
        positions: Optional[Mapping[str, bytes]] = None,
        updates_only: bool = False,
        fidelity: WatchFidelity = WatchFidelity.UNSPECIFIED,
        poll_interval: Optional[Seconds] = None,
        keys_only: bool = False,
        previous_values: bool = False,
        bookmark_interval: Optional[Seconds] = None,
        follow: bool = False,
        fold: Union[CpuFold, str, None] = None,
        concurrency: int = 0,
    ) -> FleetWatch:
        """A watch of a map on every host that matches, as bpfmapd.Client.fleet_watch()."""
        options = WatchOptions(
            filter=filter,
            updates_only=updates_only,
            fidelity=fidelity,
            poll_interval=poll_interval,
            keys_only=keys_only,
            previous_values=previous_values,
            bookmark_interval=bookmark_interval,
            follow=follow,
        )
        view = View.of(None, fold, False).reading()
        state = FleetWatchState(map, view, options, hosts, positions or {}, concurrency)

        async def open(at: Any) -> Any:
            return self._stream(self.fleet.WatchFleet, at.request(), timeout=None)

        return FleetWatch(WatchRun(open, state, self._read))

    # Maps

    @overload
    def map(
        self, *, key: CodecLike[K], value: CodecLike[V], **ref: Unpack[MapArgs]
    ) -> Map[K, V]: ...
    @overload
    def map(self, *, key: CodecLike[K], **ref: Unpack[MapArgs]) -> Map[K, bytes]: ...
    @overload
    def map(self, *, value: CodecLike[V], **ref: Unpack[MapArgs]) -> Map[bytes, V]: ...
    @overload
    def map(self, **ref: Unpack[MapArgs]) -> Map[bytes, bytes]: ...
    @overload
    def map(
        self,
        *,
        key: Union[str, CodecLike[Any]] = ...,
        value: Union[str, CodecLike[Any]] = ...,
        **ref: Unpack[MapArgs],
    ) -> Map[Any, Any]: ...
    def map(
        self,
        *,
        id: Optional[int] = None,
        pin: Optional[str] = None,
        name: Optional[str] = None,
        held: Optional[str] = None,
        boot_id: Optional[str] = None,
        key: Any = bytes,
        value: Any = bytes,
        cpu: Optional[int] = None,
        fold: Union[CpuFold, str, None] = None,
        all_cpus: bool = False,
        typing: Optional[Typing] = None,
    ) -> Any:
        """A handle of one map, as bpfmapd.Client.map()."""
        ref = map_ref(id, pin, name, held, boot_id)
        return Map(self, ref, key, value, View.of(cpu, fold, all_cpus), typing)

    @overload
    async def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: CodecLike[K],
        value: CodecLike[V],
        **options: Unpack[CreateArgs],
    ) -> Map[K, V]: ...
    @overload
    async def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: CodecLike[K],
        **options: Unpack[CreateArgs],
    ) -> Map[K, bytes]: ...
    @overload
    async def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        value: CodecLike[V],
        **options: Unpack[CreateArgs],
    ) -> Map[bytes, V]: ...
    @overload
    async def create_map(
        self, type: TypeLike, max_entries: int, **options: Unpack[CreateArgs]
    ) -> Map[bytes, bytes]: ...
    @overload
    async def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: Union[str, CodecLike[Any]] = ...,
        value: Union[str, CodecLike[Any]] = ...,
        **options: Unpack[CreateArgs],
    ) -> Map[Any, Any]: ...
    async def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        name: str = "",
        key: Any = bytes,
        value: Any = bytes,
        key_size: Optional[int] = None,
        value_size: Optional[int] = None,
        flags: int = 0,
        hold: Optional[str] = None,
        lease: Optional[Seconds] = None,
        pin: Optional[str] = None,
        create_parents: bool = False,
        reuse: bool = False,
        elements: Iterable[Tuple[Any, Any]] = (),
        freeze: bool = False,
        spec: Optional[MapSpec] = None,
        cpu: Optional[int] = None,
        fold: Union[CpuFold, str, None] = None,
        all_cpus: bool = False,
        typing: Optional[Typing] = None,
    ) -> Any:
        """Creates a map and returns its handle, as bpfmapd.Client.create_map()."""
        codecs = (codec_of(key), codec_of(value))
        view = View.of(cpu, fold, all_cpus)
        made = operations.spec_of(
            type, max_entries, name, codecs, (key_size, value_size), flags, spec
        )
        request = operations.create_request(
            made,
            hold=hold,
            lease=lease,
            pin=pin,
            create_parents=create_parents,
            reuse=reuse,
            freeze=freeze,
            typing=typing,
        )
        pairs = list(elements)
        if pairs:
            host = await self._host()
            operations.add_elements(request, pairs, codecs, host.byte_order, host.possible_cpus)
        info, created = await self._unary(operations.create(request), None)
        ref = operations.ref_after_create(info, hold, pin)
        return Map(self, ref, codecs[0], codecs[1], view, typing, created)

    async def list_maps(
        self,
        *,
        name: Optional[str] = None,
        types: Iterable[TypeLike] = (),
        pinned: Optional[bool] = None,
        held: Optional[bool] = None,
        pins: bool = False,
        holders: bool = False,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[MapInfo]:
        """The host's maps by id, as bpfmapd.Client.list_maps()."""
        kinds = list(types)
        token = ""
        while True:
            page, token = await self._unary(
                operations.list_page(token, name, kinds, pinned, held, pins, holders), timeout
            )
            for info in page:
                yield info
            if not token:
                return

    # Holds and pins

    async def release(self, name: str, *, timeout: Optional[float] = None) -> None:
        """Ends a hold. With no other reference the kernel then frees the map."""
        await self._unary(operations.release(name), timeout)

    async def keep_alive(self, *names: str, timeout: Optional[float] = None) -> List[Hold]:
        """Starts the leases of holds anew; HoldNotFound, and none renewed, where one is not
        there."""
        return await self._unary(operations.keep_alive(names), timeout)

    async def unpin(
        self, path: str, *, remove_empty_parents: bool = False, timeout: Optional[float] = None
    ) -> None:
        """Removes a map's pin. With no other reference the kernel then frees the map."""
        await self._unary(operations.unpin(path, remove_empty_parents), timeout)

    # For the handles

    async def _unary(self, operation: Operation[T], timeout: Optional[float]) -> T:
        answer = await self._send(operation.method, operation.request, timeout)
        return operation.parse(answer)

    async def _send(self, method: str, request: Any, timeout: Optional[float]) -> Any:
        return await self._call(getattr(self.maps, method), request, timeout)

    async def _call(
        self, method: Callable[..., Any], request: Any, timeout: Optional[float]
    ) -> Any:
        connection = self._connection
        metadata, seconds = connection.metadata(), connection.timeout_of(timeout)

        def start() -> Any:
            return self._noted(method(request, timeout=seconds, metadata=metadata))

        return await self._guarded(start)

    async def _read(self, call: Any) -> Any:
        """The next message of a stream, or grpc.aio.EOF."""
        return await self._guarded(call.read)

    async def _guarded(self, wait: Callable[[], Awaitable[T]]) -> T:
        try:
            return await wait()
        except grpc.RpcError as error:
            raise self._error(error) from error
        except grpc.aio.UsageError as error:
            raise _closed() from error
        except asyncio.CancelledError:
            # So ends a call of a channel that is closed.
            if self._closed and not _is_cancelled():
                raise _closed() from None
            raise

    def _stream(self, method: Callable[..., Any], *request: Any, timeout: Optional[float]) -> Any:
        """Starts a call that has no end unless it is given one."""
        try:
            metadata = self._connection.metadata()
            return self._noted(method(*request, timeout=timeout, metadata=metadata))
        except grpc.aio.UsageError as error:
            raise _closed() from error

    def _noted(self, call: Any) -> Any:
        self._calls.add(call)
        return call

    def _error(self, error: grpc.RpcError) -> BpfmapError:
        return BpfmapError.from_rpc(error, self.address)

    async def _host(self) -> HostInfo:
        return self._host_info or await self.host_info()

    async def _byte_order(self) -> str:
        return (await self._host()).byte_order

    def _batcher(self, ref: MapRef) -> Optional[Batcher]:
        """What joins the single operations on a map; None where it is turned off."""
        if self._batching is None:
            return None
        name = ref.SerializeToString()
        batcher = self._batchers.get(name)
        if batcher is None:
            batcher = self._batchers[name] = Batcher(self._send, ref, self._batching)
        return batcher

    def _channel(self) -> grpc.aio.Channel:
        """Made late, because a channel belongs to the loop that runs when it is made."""
        if self._closed:
            raise _closed()
        if self._made is None:
            connection = self._connection
            if connection.credentials is None:
                self._made = grpc.aio.insecure_channel(connection.target, connection.options)
            else:
                self._made = grpc.aio.secure_channel(
                    connection.target, connection.credentials, connection.options
                )
        return self._made


def _is_cancelled() -> bool:
    """Whether the task was asked to end, where Python can tell (3.11)."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return cancelling is not None and cancelling() > 0


def _closed() -> BpfmapError:
    return Cancelled("the client was closed", code=grpc.StatusCode.CANCELLED)
