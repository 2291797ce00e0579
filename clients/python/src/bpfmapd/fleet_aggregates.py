"""Numbers of a map's elements, folded over the hosts of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Iterable, Mapping, Optional, Tuple, Union

from bpfmapd._gen.bpfmap.fleet.v1 import aggregate_pb2 as pb
from bpfmapd._gen.bpfmap.fleet.v1.selector_pb2 import HostSelector
from bpfmapd._gen.bpfmap.v1.aggregate_pb2 import AggregateElementsRequest, TopKeysRequest
from bpfmapd._gen.bpfmap.v1.element_pb2 import ElementFilter
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._messages import Seconds, duration_of, time_of
from bpfmapd.aggregates import Number, NumberTotals, Top, number_of, number_or_none, totals_of
from bpfmapd.errors import BpfmapError

__all__ = [
    "CounterStep",
    "FleetAggregate",
    "FleetCoverage",
    "HostAggregate",
    "KeySum",
]


@dataclass(frozen=True)
class FleetCoverage:
    """Of how many hosts an answer is; answered, failed and unreachable add up to matched."""

    matched: int
    """Hosts that the selector matches."""
    answered: int
    """Hosts that have answered: the only ones that are in the numbers."""
    failed: int
    """Hosts that refused, where it failed, or that took too long."""
    unreachable: int
    """Hosts that could not be reached."""
    incomplete: int
    """Of those that have answered, the ones that could not read their map completely."""
    failures: Mapping[str, BpfmapError]
    """Why hosts did not answer: the first 100 of them by id."""


@dataclass(frozen=True)
class KeySum:
    """A key and between which numbers its sum over the hosts lies."""

    key: bytes
    """The key."""
    at_least: int
    """What its sum is at least; it is known where the two are the same."""
    at_most: int
    """What it is at most."""
    hosts: int
    """Hosts that told the key."""


@dataclass(frozen=True)
class CounterStep:
    """What was counted between two answers, on the hosts that are in both."""

    by: int
    """How much; never negative."""
    per_second: float
    """The hosts' rates added up, each by its own clock."""
    hosts: int
    """Hosts that are in it."""
    resets: int
    """Of them, those whose map was made anew, so that its counter began at 0."""
    fell: int
    """Of them, those where the same map has less: what was counted there is not known."""


@dataclass(frozen=True)
class HostAggregate:
    """What one host has answered."""

    host_id: str
    """The host."""
    boot_id: str
    """Its boot."""
    map_id: int
    """Id of its map."""
    elements: int
    """Elements that were folded."""
    complete: bool
    """Whether every element that stood still meanwhile was folded once."""
    totals: Tuple[NumberTotals, ...]
    """What each field comes to."""


@dataclass(frozen=True)
class FleetAggregate:
    """What the elements of many hosts come to."""

    coverage: FleetCoverage
    """Of which hosts this is."""
    elements: int
    """Elements that were folded."""
    totals: Tuple[NumberTotals, ...]
    """What each field comes to, in the order of the fields."""
    top: Tuple[KeySum, ...]
    """The keys with the greatest sums, by descending at_least; empty unless asked for."""
    others_max: Optional[int]
    """No key that is not in `top` has more; None where all are."""
    oldest_sample: Optional[datetime]
    """When the first host began to read, by the hosts' clocks."""
    newest_sample: Optional[datetime]
    """When the last host did."""
    steps: Tuple[CounterStep, ...]
    """What was counted since the answer before, one for each field; empty in the first."""
    hosts: Tuple[HostAggregate, ...]
    """What each host has answered, by id, where asked for."""

    @staticmethod
    def of(message: pb.AggregateResponse) -> FleetAggregate:
        """From the message."""
        has_samples = message.HasField("oldest_sample")
        return FleetAggregate(
            coverage=_coverage(message.coverage),
            elements=message.elements,
            totals=tuple(totals_of(each) for each in message.totals),
            top=tuple(
                KeySum(each.key, int(each.at_least), int(each.at_most), each.hosts)
                for each in message.top.keys
            ),
            others_max=number_or_none(message.top.others_max),
            oldest_sample=time_of(message.oldest_sample) if has_samples else None,
            newest_sample=time_of(message.newest_sample) if has_samples else None,
            steps=tuple(
                CounterStep(int(each.by), each.per_second, each.hosts, each.resets, each.fell)
                for each in message.steps
            ),
            hosts=tuple(
                HostAggregate(
                    host_id=each.host_id,
                    boot_id=each.boot_id,
                    map_id=each.map_id,
                    elements=each.elements,
                    complete=each.complete,
                    totals=tuple(totals_of(one) for one in each.totals),
                )
                for each in message.hosts
            ),
        )


def _coverage(message: pb.Coverage) -> FleetCoverage:
    return FleetCoverage(
        matched=message.matched,
        answered=message.answered,
        failed=message.failed,
        unreachable=message.unreachable,
        incomplete=message.incomplete,
        failures={each.host_id: BpfmapError.from_status(each.error) for each in message.failures},
    )


@dataclass(frozen=True)
class FleetAggregateOptions:
    """What to fold over which hosts."""

    hosts: Optional[HostSelector] = None
    filter: Optional[ElementFilter] = None
    top: Optional[Top] = None
    keys_per_host: int = 0
    concurrency: int = 0
    host_timeout: Optional[Seconds] = None
    interval: Optional[Seconds] = None
    per_host: bool = False


def fleet_aggregate_request(
    map: MapRef, fields: Iterable[Union[Number, str]], options: FleetAggregateOptions
) -> pb.AggregateRequest:
    """Aggregate."""
    elements = AggregateElementsRequest(
        map=map, filter=options.filter, fields=[number_of(field) for field in fields]
    )
    if options.top is not None:
        elements.top.CopyFrom(TopKeysRequest(field=options.top.field, limit=options.top.limit))
    return pb.AggregateRequest(
        selector=HostSelector() if options.hosts is None else options.hosts,
        elements=elements,
        keys_per_host=options.keys_per_host,
        concurrency=options.concurrency,
        host_timeout=duration_of(options.host_timeout),
        interval=duration_of(options.interval),
        per_host=options.per_host,
    )
