"""The synchronous face: connect() and Client."""

from __future__ import annotations

from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Iterator,
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

import grpc
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
from bpfmapd._ref import RefArgs, map_ref
from bpfmapd._sync_watch import FleetWatch, WatchRun
from bpfmapd._watch import WatchOptions
from bpfmapd.aggregates import Number, Top
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
from bpfmapd.map import Map
from bpfmapd.schema import Typing

if TYPE_CHECKING:
    from typing_extensions import Unpack

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
) -> Client:
    """Makes a client of a daemon. Nothing is sent before the first call, and a connection that
    was lost is made anew by the next one.

    `address` is "unix:/path", "host:port" or "[IPv6 address]:port". A TCP address needs `tls`,
    or `plaintext` to go without. `token` is sent as a bearer token with each call; a function
    is asked for it each time. `timeout` is how many seconds unary calls may take unless they
    say otherwise; None for no end. InvalidArgument for what contradicts itself.
    """
    return Client(
        Connection(address, tls, plaintext, token, timeout, max_message_bytes, channel_options)
    )


class Client:
    """A connection to one daemon. It may be used from several threads; close it, or use it
    with `with`."""

    maps: MapServiceStub
    """Every RPC of MapService, with messages of bpfmapd.proto; they raise grpc.RpcError, of
    which BpfmapError.from_rpc() makes an error of this package."""
    host: HostServiceStub
    """Every RPC of HostService, as `maps`."""
    fleet: FleetServiceStub
    """Every RPC of FleetService, which relays serve, as `maps`."""

    def __init__(self, connection: Connection) -> None:
        """Use connect()."""
        self._connection = connection
        options = connection.options
        if connection.credentials is None:
            self._channel = grpc.insecure_channel(connection.target, options)
        else:
            self._channel = grpc.secure_channel(connection.target, connection.credentials, options)
        self.maps = MapServiceStub(self._channel)
        self.host = HostServiceStub(self._channel)
        self.fleet = FleetServiceStub(self._channel)
        self._host_info: Optional[HostInfo] = None

    @property
    def address(self) -> str:
        """The daemon's address, as grpc takes it."""
        return self._connection.target

    def close(self) -> None:
        """Closes the connection. Calls that run fail with Cancelled, and so do later ones."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def wait_for_ready(self, timeout: float) -> None:
        """Waits until there is a connection; Unavailable where there is none in time."""
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout)
        except grpc.FutureTimeoutError:
            raise Unavailable(
                f"no connection to bpfmapd at {self.address} within {timeout} s",
                code=grpc.StatusCode.UNAVAILABLE,
            ) from None
        finally:
            ready.cancel()

    def host_info(self, *, timeout: Optional[float] = None) -> HostInfo:
        """What host, boot, kernel and daemon it is."""
        answer = self._call(self.host.GetHost, GetHostRequest(), timeout)
        self._host_info = host_info(answer)
        return self._host_info

    def capabilities(
        self, *types: TypeLike, timeout: Optional[float] = None
    ) -> List[MapTypeCapabilities]:
        """What the running kernel accepts for each map type, or for some."""
        request = operations.capabilities_request(types)
        answer = self._call(self.host.GetCapabilities, request, timeout)
        return [MapTypeCapabilities.of(each) for each in answer.types]

    def explain_access(
        self, verb: str, ref: Optional[MapRef] = None, *, timeout: Optional[float] = None
    ) -> ExplainAccessResponse:
        """Whether the daemon's policy allows a verb ("read", "write", ...) on a map, or on any."""
        request = operations.explain_request(verb, ref)
        answer: ExplainAccessResponse = self._call(self.host.ExplainAccess, request, timeout)
        return answer

    # Fleets

    def fleet_hosts(
        self, hosts: Optional[HostSelector] = None, *, timeout: Optional[float] = None
    ) -> Iterator[FleetHost]:
        """The hosts of a fleet that match, by id; asked of a relay."""
        request = ListHostsRequest(selector=hosts)
        while True:
            answer = self._call(self.fleet.ListHosts, request, timeout)
            yield from answer.hosts
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    def fan_out(
        self,
        *requests: Message,
        hosts: Optional[HostSelector] = None,
        concurrency: int = 0,
        host_timeout: Optional[Seconds] = None,
        all_timeout: Optional[Seconds] = None,
        max_failures: Optional[int] = None,
    ) -> Iterator[HostAnswer]:
        """Makes a call of MapService on every host that matches, and yields what they answer as
        it comes: a HostResult of each, before it a HostMessage for each message of an answer that
        is a stream, and at the end a FanOutSummary. What fails on a host is a result.

        The request, such as a GetMapRequest of bpfmapd.proto, tells the RPC; several for RPCs
        that take a stream. `hosts` are all of the fleet unless given (bpfmapd.fleet), of which
        `concurrency` (64) are called at a time, each for `host_timeout` (30 s); after
        `all_timeout`, or so many failures, those left are skipped. Leaving the loop cancels it.
        """
        options = (hosts, concurrency, host_timeout, all_timeout, max_failures)
        request = fan_out_request(requests, *options)
        call = self._stream(self.fleet.FanOut, request, None)
        try:
            while True:
                response = self._result_of(call)
                if response is None:
                    return
                yield host_answer(response)
        finally:
            call.cancel()

    def fleet_aggregate(
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
    ) -> Iterator[FleetAggregate]:
        """Folds numbers of a map's elements over every host that matches: each folds its own, the
        relay folds hosts. Yields one answer, or with an `interval` one after the other, with what
        was counted in between, until the loop is left. Hosts that do not answer are told in the
        coverage.

        `map` is a MapRef of bpfmapd.proto, best with a pin, a name or a hold: ids are of one
        host. Each host tells `keys_per_host` keys (four times top.limit, at least 100) for `top`;
        `concurrency` (64) are asked at a time, each for `host_timeout` (30 s).
        """
        options = FleetAggregateOptions(
            hosts, filter, top, keys_per_host, concurrency, host_timeout, interval, per_host
        )
        request = fleet_aggregate_request(map, fields, options)
        call = self._stream(self.fleet.Aggregate, request, None)
        try:
            while True:
                response = self._result_of(call)
                if response is None:
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
        """Watches a map on every host that matches, as hosts come and go: see bpfmapd.fleet_watch.

        `map` is a MapRef of bpfmapd.proto, best with a pin, a name or a hold: ids are of one
        host. `positions` are those of an earlier watch, whose hosts go on where it stood. It
        outlives relays that go. Of `concurrency` hosts (64) contents are read at a time; all
        else is as of Map.watch.
        """
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
        return FleetWatch(
            WatchRun(
                lambda at: self._stream(self.fleet.WatchFleet, at.request(), None),
                state,
                self._error,
            )
        )

    def _result_of(self, call: Any) -> Any:
        """The next message of a stream; None where no more comes."""
        try:
            return next(call, None)
        except grpc.RpcError as error:
            raise self._error(error) from error

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
        """A handle of one map, named by exactly one of `id` (with `boot_id` where it was kept),
        `pin` (a path), `name` and `held` (the name of a hold). Nothing is sent: a map that is
        not there shows at the first call.

        `key` and `value` say how their bytes become objects: see bpfmapd.codecs; bytes where
        absent. Values of per-CPU maps are whole (PerCpu) unless `cpu` chooses one CPU's slot,
        `fold` (such as "sum_u64") folds them when they are read, or `all_cpus` gives each CPU
        the same value when they are written. `typing` names types where the map has none, for
        JSON, conditions and orders.
        """
        ref = map_ref(id, pin, name, held, boot_id)
        return Map(self, ref, key, value, View.of(cpu, fold, all_cpus), typing)

    @overload
    def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: CodecLike[K],
        value: CodecLike[V],
        **options: Unpack[CreateArgs],
    ) -> Map[K, V]: ...
    @overload
    def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: CodecLike[K],
        **options: Unpack[CreateArgs],
    ) -> Map[K, bytes]: ...
    @overload
    def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        value: CodecLike[V],
        **options: Unpack[CreateArgs],
    ) -> Map[bytes, V]: ...
    @overload
    def create_map(
        self, type: TypeLike, max_entries: int, **options: Unpack[CreateArgs]
    ) -> Map[bytes, bytes]: ...
    @overload
    def create_map(
        self,
        type: TypeLike,
        max_entries: int,
        *,
        key: Union[str, CodecLike[Any]] = ...,
        value: Union[str, CodecLike[Any]] = ...,
        **options: Unpack[CreateArgs],
    ) -> Map[Any, Any]: ...
    def create_map(
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
        """Creates a map and returns its handle.

        A map lives only while something refers to it, so give `hold` (with a `lease` in
        seconds, if it is to end by itself) or `pin` or both. `reuse` takes the map that is
        there already, if it is as asked (MapIncompatible otherwise); the handle's `created`
        tells which. Sizes follow from codecs of fixed size; `int` and `bytes` need `key_size`
        and `value_size`. `elements` are written before others can see the map. `spec` has what
        there is no argument for, such as map_extra.
        """
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
            host = self._host()
            operations.add_elements(request, pairs, codecs, host.byte_order, host.possible_cpus)
        info, created = self._unary(operations.create(request), None)
        ref = operations.ref_after_create(info, hold, pin)
        return Map(self, ref, codecs[0], codecs[1], view, typing, created)

    def list_maps(
        self,
        *,
        name: Optional[str] = None,
        types: Iterable[TypeLike] = (),
        pinned: Optional[bool] = None,
        held: Optional[bool] = None,
        pins: bool = False,
        holders: bool = False,
        timeout: Optional[float] = None,
    ) -> Iterator[MapInfo]:
        """The host's maps by id. `name` is a pattern with *, ?, [a-z] and {a,b}; the other
        parts must hold too. `pins` and `holders` are told with each, at a cost."""
        kinds = list(types)
        token = ""
        while True:
            page, token = self._unary(
                operations.list_page(token, name, kinds, pinned, held, pins, holders), timeout
            )
            yield from page
            if not token:
                return

    # Holds and pins

    def release(self, name: str, *, timeout: Optional[float] = None) -> None:
        """Ends a hold. With no other reference the kernel then frees the map."""
        self._unary(operations.release(name), timeout)

    def keep_alive(self, *names: str, timeout: Optional[float] = None) -> List[Hold]:
        """Starts the leases of holds anew; HoldNotFound, and none renewed, where one is not
        there."""
        return self._unary(operations.keep_alive(names), timeout)

    def unpin(
        self, path: str, *, remove_empty_parents: bool = False, timeout: Optional[float] = None
    ) -> None:
        """Removes a map's pin. With no other reference the kernel then frees the map."""
        self._unary(operations.unpin(path, remove_empty_parents), timeout)

    # For the handles

    def _unary(self, operation: Operation[T], timeout: Optional[float]) -> T:
        method = getattr(self.maps, operation.method)
        return operation.parse(self._call(method, operation.request, timeout))

    def _call(self, method: Callable[..., Any], request: Any, timeout: Optional[float]) -> Any:
        connection = self._connection
        try:
            return method(
                request,
                timeout=connection.timeout_of(timeout),
                metadata=connection.metadata(),
            )
        except grpc.RpcError as error:
            raise self._error(error) from error
        except ValueError as error:
            raise _closed(error) from error

    def _stream(self, method: Callable[..., Any], request: Any, timeout: Optional[float]) -> Any:
        """Starts a call that has no end unless it is given one."""
        try:
            return method(request, timeout=timeout, metadata=self._connection.metadata())
        except ValueError as error:
            raise _closed(error) from error

    def _result(self, call: Any) -> Any:
        try:
            return call.result()
        except grpc.RpcError as error:
            raise self._error(error) from error
        except grpc.FutureCancelledError as error:
            raise _closed(error) from error

    def _error(self, error: grpc.RpcError) -> BpfmapError:
        return BpfmapError.from_rpc(error, self.address)

    def _host(self) -> HostInfo:
        return self._host_info or self.host_info()

    def _byte_order(self) -> str:
        return self._host().byte_order


class MapArgs(RefArgs, total=False):
    """What map() takes besides codecs; see Client.map."""

    cpu: Optional[int]
    fold: Union[CpuFold, str, None]
    all_cpus: bool
    typing: Optional[Typing]


def _closed(error: Exception) -> BpfmapError:
    # grpc raises a ValueError for a call on a closed channel.
    return Cancelled(f"the call could not be made: {error}", code=grpc.StatusCode.CANCELLED)
