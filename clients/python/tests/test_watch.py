"""Watches on both faces: contents, changes, cut connections, restarts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, AsyncIterator, Callable, Dict, List, Optional

import pytest
import pytest_asyncio
from conftest import Maker, no_leaks
from support.daemon import Daemon
from support.mirror import Mirror
from support.proxy import Proxy

import bpfmapd
import bpfmapd.aio
from bpfmapd import Created, Gone, Put, Resync, Synced, WatchFilter, errors
from bpfmapd.enums import ResyncReason, WatchFidelity

POLL: Dict[str, Any] = {"poll_interval": 0.02, "bookmark_interval": 0.1}


@pytest_asyncio.fixture
async def mirror_of() -> AsyncIterator[Callable[..., Mirror]]:
    mirrors: List[Mirror] = []

    def make(hits: bpfmapd.aio.Map[int, int], **options: Any) -> Mirror:
        mirrors.append(Mirror(hits.watch(**{**POLL, **options})))
        return mirrors[-1]

    yield make
    for mirror in mirrors:
        await mirror.stop()


@pytest.fixture
def numbers(make: Maker, aio_client: bpfmapd.aio.Client) -> bpfmapd.aio.Map[int, int]:
    return aio_client.map(held=make.numbers().ref.held, key=int, value=int)


MirrorOf = Callable[..., Mirror]
Numbers = bpfmapd.aio.Map[int, int]


async def test_yields_the_contents_then_changes(numbers: Numbers, mirror_of: MirrorOf) -> None:
    await numbers.update_many([(1, 10), (2, 20)])
    mirror = mirror_of(numbers, previous_values=True)
    await mirror.until(lambda: any(isinstance(event, Synced) for event in mirror.events))
    assert isinstance(mirror.events[0], Created)
    assert mirror.events[0].map.key_size == 4
    assert [event.initial for event in mirror.events if isinstance(event, Put)] == [True, True]
    assert mirror.contents == {1: 10, 2: 20}
    mirror.events.clear()
    await numbers.update(1, 11)
    await numbers.delete(2)
    await mirror.until(lambda: mirror.contents == {1: 11})
    puts = [event for event in mirror.events if isinstance(event, Put)]
    # A write that a scan has told already may be told once more, with the same value.
    assert {(put.initial, put.key, put.value) for put in puts} == {(False, 1, 11)}
    assert puts[0].seen_after <= puts[0].seen_before


async def test_yields_what_filter_and_options_choose(numbers: Numbers, mirror_of: MirrorOf) -> None:
    await numbers.update_many([(1, 10), (2, 20), (3, 30)])
    keys = mirror_of(numbers, keys_only=True, filter=WatchFilter(keys=[1, b"\2\0\0\0"]))
    later = mirror_of(numbers, updates_only=True)
    await keys.until(lambda: keys.contents == {1: None, 2: None})
    await later.until(lambda: bool(later.events))
    await numbers.update(4, 40)
    await later.until(lambda: 4 in later.contents)
    assert later.contents == {4: 40}
    assert keys.contents == {1: None, 2: None}


async def test_loses_no_event_to_a_timeout(numbers: Numbers) -> None:
    async with numbers.watch(**POLL) as watch:
        seen: Dict[int, Optional[int]] = {}
        for key in range(20):
            await numbers.update(key, key)
            while len(seen) <= key:
                try:
                    event = await asyncio.wait_for(watch.__anext__(), 0.003)
                except asyncio.TimeoutError:
                    continue
                if isinstance(event, Put):
                    seen[event.key] = event.value
        assert seen == {key: key for key in range(20)}


async def test_ends_where_the_map_is_freed(
    make: Maker, aio_client: bpfmapd.aio.Client, client: bpfmapd.Client
) -> None:
    made = make.numbers()
    numbers = aio_client.map(id=made.info().id, key=int, value=int)
    events = []
    async for event in numbers.watch(**POLL):
        events.append(event)
        if isinstance(event, Synced):
            client.release(made.ref.held)
    assert isinstance(events[-1], Gone)


async def test_follows_a_hold_to_its_next_map(
    aio_client: bpfmapd.aio.Client, unique: str, mirror_of: MirrorOf
) -> None:
    options: Any = {"key": int, "value": int, "hold": unique}
    first = await aio_client.create_map("hash", 10, key_size=4, value_size=8, **options)
    mirror = mirror_of(first, follow=True)
    await first.update(1, 1)
    await mirror.until(lambda: mirror.contents == {1: 1})
    await aio_client.release(unique)
    await mirror.until(lambda: isinstance(mirror.events[-1], Gone))
    # Other sizes: the codecs are bound anew.
    second = await aio_client.create_map("hash", 10, key_size=8, value_size=2, **options)
    await second.update(2**40, 7)
    await mirror.until(lambda: mirror.contents == {2**40: 7})
    assert mirror.resyncs == [ResyncReason.MAP_RECREATED]
    await aio_client.release(unique)


async def test_raises_what_cannot_pass(
    aio_client: bpfmapd.aio.Client, make: Maker, client: bpfmapd.Client
) -> None:
    for request, error in (
        (aio_client.map(held="not_there").watch(), errors.HoldNotFound),
        (aio_client.map(held=make("queue", 4, value="I").ref.held).watch(), bpfmapd.NotSupported),
        (bpfmapd.aio.connect("unix:/not/there").map(id=1).watch(), bpfmapd.Unavailable),
    ):
        with pytest.raises(error):
            async for _ in request:
                pass
    with pytest.raises(errors.ResumeTokenInvalid):
        list(make.numbers().watch(resume_token=b"none of this host"))
    with pytest.raises(errors.HoldNotFound):
        list(client.map(held="not_there").watch())


async def test_goes_on_after_a_cut_without_starting_over(
    daemon: Daemon, make: Maker, quick_reconnects: None, mirror_of: MirrorOf
) -> None:
    made = make.numbers()
    proxy = Proxy(daemon.directory / "cut.sock", daemon.socket)
    try:
        async with bpfmapd.aio.connect(proxy.address) as client:
            mirror = mirror_of(client.map(held=made.ref.held, key=int, value=int))
            for cut in range(4):
                await asyncio.to_thread(made.update, cut, cut)
                await mirror.until(lambda cut=cut: cut in mirror.contents)
                await mirror.until(lambda: mirror.watch.resume_token is not None)
                proxy.cut()
                await asyncio.to_thread(made.delete, cut)
                await mirror.until(lambda: not mirror.contents)
            assert mirror.resyncs == []
            await mirror.stop()
    finally:
        await asyncio.to_thread(proxy.close)


async def test_tells_of_a_map_that_was_freed_while_there_was_no_connection(
    own_daemon: Daemon, quick_reconnects: None, mirror_of: MirrorOf
) -> None:
    async with bpfmapd.aio.connect(own_daemon.address) as client:
        made = await client.create_map(
            "hash", 10, key_size=4, value_size=4, pin=f"{own_daemon.bpffs}/m"
        )
        mirror = mirror_of(made)
        await mirror.until(lambda: mirror.watch.resume_token is not None)
        await asyncio.to_thread(own_daemon.kill)
        (own_daemon.bpffs / "m").unlink()
        await asyncio.to_thread(own_daemon.start)
        await mirror.until(lambda: isinstance(mirror.events[-1], Gone))
        await asyncio.wait_for(mirror.task, 10)


async def test_that_nobody_reads_any_more_ends(numbers: Numbers) -> None:
    before = asyncio.all_tasks()
    async for _ in numbers.watch(**POLL):
        break

    async def forever() -> None:
        async for _ in numbers.watch(**POLL):
            pass

    task = asyncio.create_task(forever())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before


async def test_fails_where_its_client_is_closed(daemon: Daemon, make: Maker) -> None:
    client = bpfmapd.aio.connect(daemon.address)
    watch = client.map(held=make.numbers().ref.held).watch(**POLL)
    assert isinstance(await watch.__anext__(), Created)
    asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(client.close()))
    with pytest.raises(errors.Cancelled):
        async for _ in watch:
            pass


class TestSync:
    def test_yields_the_contents_then_changes(self, make: Maker) -> None:
        hits = make.numbers()
        hits[1] = 10
        seen: List[Any] = []
        with no_leaks(), hits.watch(fidelity="best_available", **POLL) as watch:
            for event in watch:
                seen.append(event)
                if isinstance(event, Synced):
                    hits[2] = 20
                if isinstance(event, Put) and event.key == 2:
                    break
        assert isinstance(seen[0], Created)
        assert seen[0].fidelity in (WatchFidelity.LATEST, WatchFidelity.EVERY_CALL)
        assert {event.key: event.value for event in seen if isinstance(event, Put)} == {
            1: 10,
            2: 20,
        }

    def test_resumes_from_the_token_of_another(self, make: Maker) -> None:
        hits = make.numbers()
        hits[1] = 10
        with hits.watch(**POLL) as first:
            for event in first:
                if isinstance(event, Synced):
                    break
        hits[2] = 20
        keys = []
        with hits.watch(resume_token=first.resume_token, **POLL) as second:
            for event in second:
                assert not isinstance(event, Resync)
                if isinstance(event, Put):
                    keys.append(event.key)
                    break
        assert keys == [2]

    def test_ends_when_another_thread_closes_it(self, make: Maker) -> None:
        watch = make.numbers().watch(**POLL)
        timer = threading.Timer(0.3, watch.close)
        timer.start()
        assert any(isinstance(event, Created) for event in watch)
        assert not any(isinstance(event, Gone) for event in watch)
        timer.join()
