"""A map watched on the hosts of a fleet: what is told, and where the watch stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Union

from bpfmapd._backoff import Backoff
from bpfmapd._binding import Binding, unbound
from bpfmapd._codecs.scalars import Raw
from bpfmapd._gen.bpfmap.fleet.v1 import watch_pb2 as pb
from bpfmapd._gen.bpfmap.fleet.v1.selector_pb2 import HostSelector
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuView
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._watch import WatchOptions, WatchState, can_pass
from bpfmapd.errors import BpfmapError, ProtocolError
from bpfmapd.events import Event

__all__ = ["FleetEvent", "FleetStarted", "HostBegun", "HostEvent", "HostLeft", "HostLost"]


@dataclass(frozen=True)
class FleetStarted:
    """The stream has begun: first, and each time it was made anew."""

    hosts: int
    """Hosts that match."""


@dataclass(frozen=True)
class HostBegun:
    """A host's stream has begun."""

    host_id: str
    resumed: bool
    """Whether it goes on where it was. Otherwise what was told of the host counts no more, and
    its contents follow."""


@dataclass(frozen=True)
class HostEvent:
    """What a host's stream tells, in order."""

    host_id: str
    event: Event[bytes, bytes]
    """As of any watch (bpfmapd.events), keys and values as bytes."""


@dataclass(frozen=True)
class HostLost:
    """A host's stream is not there, for now."""

    host_id: str
    error: Optional[BpfmapError]
    """Why; None where its map is gone, and no other is waited for."""


@dataclass(frozen=True)
class HostLeft:
    """A host is not watched any more: what was told of it counts no more."""

    host_id: str


FleetEvent = Union[FleetStarted, HostBegun, HostEvent, HostLost, HostLeft]


class FleetWatchState:
    """Where a watch of a fleet stands, over all the calls that it makes."""

    def __init__(
        self,
        ref: MapRef,
        view: Optional[CpuView],
        options: WatchOptions[bytes],
        hosts: Optional[HostSelector],
        positions: Mapping[str, bytes],
        concurrency: int,
    ) -> None:
        self.backoff = Backoff()
        self.resume_token = None
        self._watch = (ref, view, options)
        self._base = self._new_host()
        self._binding = _bytes_of(None)
        self._selector = HostSelector() if hosts is None else hosts
        self._concurrency = concurrency
        self._hosts: Dict[str, WatchState[bytes, bytes]] = {}
        self._started = False
        for host_id, position in positions.items():
            self._host(host_id).resume_token = position

    @property
    def positions(self) -> Dict[str, bytes]:
        """Where the hosts stand."""
        stands = {host_id: state.resume_token for host_id, state in self._hosts.items()}
        return {host_id: token for host_id, token in stands.items() if token is not None}

    def request(self) -> pb.WatchFleetRequest:
        """The request of the next call."""
        watch = self._base.request(self._binding)
        if self._started:
            watch.ClearField("start")
        return pb.WatchFleetRequest(
            selector=self._selector,
            watch=watch,
            positions=[
                pb.HostPosition(host_id=host_id, resume_token=token)
                for host_id, token in self.positions.items()
            ],
            concurrency=self._concurrency,
        )

    def feed(self, message: pb.WatchFleetResponse) -> Iterator[FleetEvent]:
        """The events of a message. They must all be taken before the next message."""
        kind = message.WhichOneof("event")
        if kind == "message":
            self.backoff.reset()
            host_id = message.message.host_id
            for event in self._host(host_id).feed(message.message.response):
                yield HostEvent(host_id, event)
        elif kind == "started":
            self._started = True
            yield FleetStarted(message.started.hosts)
        elif kind == "begun":
            if not message.begun.resumed:
                self._hosts.pop(message.begun.host_id, None)
            yield HostBegun(message.begun.host_id, message.begun.resumed)
        elif kind == "lost":
            error = message.lost.error
            why = BpfmapError.from_status(error) if error else None
            yield HostLost(message.lost.host_id, why)
        elif kind == "left":
            self._hosts.pop(message.left.host_id, None)
            yield HostLeft(message.left.host_id)
        else:
            raise ProtocolError("the relay sent an empty message in a watch")

    def gone(self, error: BpfmapError) -> None:
        """A watch of a fleet does not end with a map."""

    def pause(self, error: BpfmapError) -> float:
        """Seconds to wait before another attempt; raises the error where none can succeed."""
        if not self._started or not can_pass(error):
            raise error
        return self.backoff.next()

    def start_over(self) -> List[FleetEvent]:
        """Of hosts that cannot go on nothing would be heard, should they leave meanwhile."""
        positions = self.positions
        lost = [host_id for host_id in self._hosts if host_id not in positions]
        for host_id in lost:
            del self._hosts[host_id]
        return [HostLeft(host_id) for host_id in lost]

    def _host(self, host_id: str) -> WatchState[bytes, bytes]:
        state = self._hosts.get(host_id)
        if state is None:
            state = self._hosts[host_id] = self._new_host()
        return state

    def _new_host(self) -> WatchState[bytes, bytes]:
        ref, view, options = self._watch
        return WatchState(ref, view, _bytes_of, options)


def _bytes_of(_: Any) -> Binding[bytes, bytes]:
    binding = unbound(Raw(), Raw())
    if binding is None:
        raise ProtocolError("bytes need no map to be read")
    return binding
