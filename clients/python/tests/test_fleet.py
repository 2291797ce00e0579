"""Fleets: the hosts of a relay, and calls on all that match."""

from __future__ import annotations

import time
from typing import Any, Dict, Iterator, List

import pytest
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio
from bpfmapd import Created, Number, NumberTotals, Synced, Top
from bpfmapd.errors import HoldNotFound, InvalidArgument, NoHostMatches
from bpfmapd.fleet import FanOutSummary, HostMessage, HostOutcome, HostResult, host_selector
from bpfmapd.fleet_aggregates import FleetAggregate, KeySum
from bpfmapd.fleet_watch import FleetStarted, HostBegun, HostEvent, HostLost
from bpfmapd.proto import (
    CreateMapRequest,
    DumpMapRequest,
    GetHostRequest,
    GetMapRequest,
    MapRef,
    UpdateElementsRequest,
)

HELD = MapRef(held="py-fleet")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Daemon]:
    """Hosts py-a, which is the relay, and py-b, which alone holds a map."""
    relay, host = Daemon(), Daemon()
    try:
        store = str(relay.directory / "store")
        relay.arguments = ("--fleet", "--host-id", "py-a", "--store-directory", store)
        relay.start()
        host.arguments = ("--host-id", "py-b", "--label", "zone=b", "--join", relay.address)
        host.start()
        with bpfmapd.connect(relay.address) as client:
            while sum(one.liveness == 1 for one in client.fleet_hosts()) < 2:
                time.sleep(0.05)
            create = CreateMapRequest()
            create.spec.type, create.spec.name = 1, "py_fleet"
            create.spec.key_size = create.spec.value_size = 4
            create.spec.max_entries = 1
            create.hold.name = "py-fleet"
            made = list(client.fan_out(create, hosts=host_selector(labels={"zone": "b"})))
            assert made[-1] == FanOutSummary(1, 1, 0, 0, 0)
        yield relay
    finally:
        host.dispose()
        relay.dispose()


def results(answers: List[Any]) -> Dict[str, HostResult]:
    return {one.host_id: one for one in answers if isinstance(one, HostResult)}


def check(answers: List[Any]) -> None:
    told = results(answers)
    assert told["py-b"].outcome is HostOutcome.OK
    response: Any = told["py-b"].response
    assert response.map.name == "py_fleet"
    assert told["py-a"].outcome is HostOutcome.FAILED
    assert isinstance(told["py-a"].error, HoldNotFound)
    assert answers[-1] == FanOutSummary(matched=2, ok=1, failed=1, unreachable=0, skipped=0)


def test_calls_every_host_that_matches(fleet: Daemon) -> None:
    with bpfmapd.connect(fleet.address) as client:
        check(list(client.fan_out(GetMapRequest(map=HELD))))


def test_tells_each_message_of_an_answer_that_is_a_stream(fleet: Daemon) -> None:
    with bpfmapd.connect(fleet.address) as client:
        answers = list(client.fan_out(DumpMapRequest(map=HELD), hosts=host_selector("py-b")))
    assert {one.host_id for one in answers if isinstance(one, HostMessage)} == {"py-b"}


def test_says_so_where_no_host_matches(fleet: Daemon) -> None:
    with bpfmapd.connect(fleet.address) as client, pytest.raises(NoHostMatches):
        list(client.fan_out(GetMapRequest(map=HELD), hosts=host_selector(labels={"zone": "z"})))


def test_refuses_what_is_no_request_of_maps(fleet: Daemon) -> None:
    with bpfmapd.connect(fleet.address) as client:
        with pytest.raises(InvalidArgument):
            list(client.fan_out(GetHostRequest()))
        with pytest.raises(InvalidArgument):
            list(client.fan_out())


async def test_calls_every_host_that_matches_in_asyncio(fleet: Daemon) -> None:
    async with bpfmapd.aio.connect(fleet.address) as client:
        assert [host.id async for host in client.fleet_hosts()] == ["py-a", "py-b"]
        check([one async for one in client.fan_out(GetMapRequest(map=HELD))])


def check_aggregate(answer: FleetAggregate) -> None:
    assert answer.coverage.matched == 2
    assert answer.coverage.answered == answer.coverage.failed == 1
    assert isinstance(answer.coverage.failures["py-a"], HoldNotFound)
    assert answer.totals == (NumberTotals(count=1, sum=7, min=7, max=7, histogram=None),)
    assert answer.top == (KeySum(key=b"\1\0\0\0", at_least=7, at_most=7, hosts=1),)
    assert answer.others_max is None
    assert [each.host_id for each in answer.hosts] == ["py-b"]
    assert answer.oldest_sample is not None


def test_folds_numbers_over_hosts(fleet: Daemon) -> None:
    fields = [Number(offset=0, type="U32")]
    update = UpdateElementsRequest(map=HELD)
    update.elements.count, update.elements.keys = 1, b"\1\0\0\0"
    update.elements.values = b"\7\0\0\0"
    with bpfmapd.connect(fleet.address) as client:
        assert list(client.fan_out(update))[-1] == FanOutSummary(2, 1, 1, 0, 0)
        (answer,) = client.fleet_aggregate(HELD, fields, top=Top(3), per_host=True)
        check_aggregate(answer)
        rounds = client.fleet_aggregate(HELD, fields, interval=0.1)
        assert next(rounds).steps == ()
        (step,) = next(rounds).steps
        assert (step.by, step.hosts, step.resets, step.fell) == (0, 1, 0, 0)
        rounds.close()


async def test_folds_numbers_over_hosts_in_asyncio(fleet: Daemon) -> None:
    fields = [Number(offset=0, type="U32")]
    async with bpfmapd.aio.connect(fleet.address) as client:
        answers = client.fleet_aggregate(HELD, fields, top=Top(3), per_host=True)
        (answer,) = [each async for each in answers]
        check_aggregate(answer)


def test_watches_a_map_on_hosts(fleet: Daemon) -> None:
    with bpfmapd.connect(fleet.address) as client:
        watch = client.fleet_watch(HELD, poll_interval=0.02, bookmark_interval=0.1)
        told = []
        for event in watch:
            told.append(event)
            if "py-b" in watch.positions and any(isinstance(each, HostLost) for each in told):
                break
        positions = watch.positions
        watch.close()
        assert told[0] == FleetStarted(2)
        lost = [each for each in told if isinstance(each, HostLost)]
        assert [each.host_id for each in lost] == ["py-a"]
        assert isinstance(lost[0].error, HoldNotFound)
        assert HostBegun("py-b", False) in told
        again = client.fleet_watch(HELD, positions=positions, hosts=host_selector("py-b"))
        assert [next(again), next(again)] == [FleetStarted(1), HostBegun("py-b", True)]
        again.close()


async def test_watches_a_map_on_hosts_in_asyncio(fleet: Daemon) -> None:
    async with bpfmapd.aio.connect(fleet.address) as client:
        watch = client.fleet_watch(HELD, hosts=host_selector("py-b"))
        kinds = []
        async for event in watch:
            kinds.append(type(event.event) if isinstance(event, HostEvent) else type(event))
            if Synced in kinds:
                break
        watch.close()
        assert kinds[:3] == [FleetStarted, HostBegun, Created]
