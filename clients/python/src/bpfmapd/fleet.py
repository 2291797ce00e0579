"""Fleets: what a relay tells of hosts, and what comes of calls on many of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.symbol_database import Default

from bpfmapd._enum import OpenEnum
from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2 import (
    FanOutRequest,
    FanOutResponse,
)
from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2 import FanOutResult as ResultMessage
from bpfmapd._gen.bpfmap.fleet.v1.host_pb2 import FleetHost
from bpfmapd._gen.bpfmap.fleet.v1.selector_pb2 import HostSelector, LabelRequirement
from bpfmapd._messages import Seconds, delta_of, duration_of
from bpfmapd.errors import BpfmapError, ProtocolError, invalid

__all__ = [
    "FanOutSummary",
    "FleetHost",
    "HostAnswer",
    "HostMessage",
    "HostOutcome",
    "HostResult",
    "HostSelector",
    "LabelRequirement",
    "host_selector",
]


class HostOutcome(OpenEnum):
    """What came of a host, in a word."""

    UNSPECIFIED = 0
    """Not known."""
    OK = 1
    """The call was answered."""
    FAILED = 2
    """The host refused the call, or it failed there, or took too long."""
    UNREACHABLE = 3
    """The host has no session with a relay, or lost it under the call."""
    SKIPPED = 4
    """The host was not called, for too many failures before it or too little time."""


@dataclass(frozen=True)
class HostMessage:
    """A message of a host's answer, of RPCs whose answer is a stream."""

    host_id: str
    response: Message
    """Such as a DumpMapResponse of bpfmapd.proto."""


@dataclass(frozen=True)
class HostResult:
    """What came of one host."""

    host_id: str
    outcome: HostOutcome
    response: Optional[Message]
    """The answer of RPCs that have one; None unless OK."""
    error: Optional[BpfmapError]
    """Why it failed or cannot be reached; None otherwise."""
    maybe_done: bool
    """Whether the call had been sent when it ended without an answer."""
    took: timedelta
    """How long it took, from when the host was called."""


class FanOutSummary(NamedTuple):
    """All hosts are done with: how many there were, and what came of them."""

    matched: int
    ok: int
    failed: int
    unreachable: int
    skipped: int


HostAnswer = Union[HostMessage, HostResult, FanOutSummary]


def host_selector(
    *ids: str,
    labels: Optional[Mapping[str, str]] = None,
    requirements: Sequence[LabelRequirement] = (),
) -> HostSelector:
    """Hosts by their ids and labels, all of which must hold; without any, every host."""
    return HostSelector(host_ids=ids, labels=labels or {}, requirements=requirements)


def fan_out_request(
    requests: Sequence[Message],
    hosts: Optional[HostSelector],
    concurrency: int,
    host_timeout: Optional[Seconds],
    all_timeout: Optional[Seconds],
    max_failures: Optional[int],
) -> FanOutRequest:
    """FanOut."""
    if not requests:
        raise invalid("a fan-out needs a request", "requests")
    request = FanOutRequest(
        selector=HostSelector() if hosts is None else hosts,
        concurrency=concurrency,
        host_timeout=duration_of(host_timeout),
        timeout=duration_of(all_timeout),
        max_failures=max_failures,
    )
    for each in requests:
        request.requests.add().Pack(each)
    return request


def host_answer(response: FanOutResponse) -> HostAnswer:
    """What a message of a fan-out tells."""
    kind = response.WhichOneof("event")
    if kind == "message":
        told = response.message
        return HostMessage(told.host_id, _unpacked(told.response))
    if kind == "result":
        return _result(response.result)
    if kind == "summary":
        counts = response.summary
        return FanOutSummary(
            counts.matched, counts.ok, counts.failed, counts.unreachable, counts.skipped
        )
    raise ProtocolError("the relay told what this version does not know")


def _result(told: ResultMessage) -> HostResult:
    return HostResult(
        host_id=told.host_id,
        outcome=HostOutcome(told.outcome),
        response=_unpacked(told.response) if told.HasField("response") else None,
        error=BpfmapError.from_status(told.error) if told.error else None,
        maybe_done=told.maybe_done,
        took=delta_of(told.took),
    )


def _unpacked(packed: AnyMessage) -> Message:
    name = packed.type_url.rpartition("/")[2]
    try:
        kind: Any = Default().GetSymbol(name)
    except KeyError:
        raise ProtocolError(f"the relay told a {name}, which is not known here") from None
    message: Message = kind.FromString(packed.value)
    return message
