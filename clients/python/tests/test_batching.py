"""Automatic batching of the asynchronous face."""

from __future__ import annotations

import asyncio
import random
from typing import Any, AsyncIterator, Dict, List, Tuple

import pytest
import pytest_asyncio
from conftest import Maker
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio
from bpfmapd import errors
from bpfmapd.aio import Batching


class Spy:
    """A client that notes its calls, and can hold them up."""

    def __init__(self, address: str, **options: Any) -> None:
        self.client = bpfmapd.aio.connect(address, **options)
        self.calls: List[Tuple[str, int]] = []
        self.timeouts: List[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._send = self.client._send
        self.client._send = self._note  # type: ignore[method-assign]

    async def _note(self, method: str, request: Any, timeout: Any) -> Any:
        if method == "UpdateElements":
            request_count = request.elements.count
        else:
            request_count = getattr(request, "count", 1)
        self.calls.append((method, request_count))
        self.timeouts.append(timeout)
        await self.gate.wait()
        return await self._send(method, request, timeout)

    def map(self, made: bpfmapd.Map[int, int]) -> bpfmapd.aio.Map[int, int]:
        return self.client.map(held=made.ref.held, key="I", value="Q")

    async def ready(self, made: bpfmapd.Map[int, int]) -> bpfmapd.aio.Map[int, int]:
        """A handle that knows the map's sizes already."""
        hits = self.map(made)
        await hits._bind()
        self.calls.clear()
        return hits


@pytest_asyncio.fixture
async def spy(daemon: Daemon) -> AsyncIterator[Spy]:
    made = Spy(daemon.address)
    yield made
    await made.client.close()


async def test_joins_what_is_done_at_once(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    await asyncio.gather(*(hits.update(key, key) for key in range(64)))
    assert spy.calls == [("UpdateElements", 64)]
    assert await asyncio.gather(*(hits.get(key) for key in range(66))) == [
        *range(64),
        None,
        None,
    ]
    assert spy.calls[1:] == [("LookupElements", 66)]
    assert await asyncio.gather(*(hits.take(key) for key in range(3))) == [0, 1, 2]
    assert await asyncio.gather(*(hits.delete(key) for key in range(2, 5))) == [False, True, True]
    assert spy.calls[2:] == [("TakeElements", 3), ("DeleteElements", 3)]


async def test_joins_what_comes_while_a_call_is_under_way(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    spy.gate.clear()
    first = asyncio.create_task(hits.update(0, 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(hits.update(key, key)) for key in range(1, 10)]
    # Longer than the delay: they do not wait for the first call.
    await asyncio.sleep(0.1)
    assert spy.calls == [("UpdateElements", 1), ("UpdateElements", 9)]
    spy.gate.set()
    await asyncio.gather(first, *later)


async def test_joins_handles_of_one_map(spy: Spy, make: Maker) -> None:
    made = make.numbers()
    one, other = await spy.ready(made), await spy.ready(made)
    await asyncio.gather(one.update(1, 1), other.update(2, 2))
    assert spy.calls == [("UpdateElements", 2)]


async def test_asks_for_sizes_once(spy: Spy, make: Maker) -> None:
    hits = spy.client.map(held=make.numbers().ref.held, key=int, value=int)
    await asyncio.gather(*(hits.update(key, key) for key in range(10)))
    assert [method for method, _ in spy.calls].count("GetMap") == 1
    assert sum(count for method, count in spy.calls if method == "UpdateElements") == 10


async def test_keeps_the_order_of_each_key(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    results = await asyncio.gather(
        hits.update(1, 1),
        hits.get(1),
        hits.delete(1),
        hits.get(1),
        hits.update(1, 2),
        hits.update(1, 3),
        hits.get(1),
        hits.take(1),
        hits.get(1),
    )
    assert results == [None, 1, True, None, None, None, 3, 3, None]


async def test_stays_within_its_bounds(daemon: Daemon, make: Maker) -> None:
    spy = Spy(daemon.address, batching=Batching(max_elements=10))
    hits = await spy.ready(make.numbers())
    await asyncio.gather(*(hits.update(key, key) for key in range(25)))
    assert sorted(count for _, count in spy.calls) == [5, 10, 10]
    await spy.client.close()
    spy = Spy(daemon.address, batching=Batching(max_bytes=24))
    hits = await spy.ready(make.numbers())
    await asyncio.gather(*(hits.update(key, key) for key in range(4)))
    assert spy.calls == [("UpdateElements", 2), ("UpdateElements", 2)]
    await spy.client.close()
    with pytest.raises(bpfmapd.InvalidArgument):
        Batching(max_elements=0)


async def test_can_be_turned_off(daemon: Daemon, make: Maker) -> None:
    spy = Spy(daemon.address, batching=None)
    hits = await spy.ready(make.numbers())
    await asyncio.gather(*(hits.update(key, key) for key in range(5)))
    await asyncio.gather(*(hits.get(key) for key in range(5)))
    await asyncio.gather(*(hits.take(key) for key in range(2)))
    await asyncio.gather(*(hits.delete(key) for key in range(5)))
    assert {count for _, count in spy.calls} == {1}
    assert len(spy.calls) == 17
    await spy.client.close()


async def test_fails_only_what_found_no_room(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers(max_entries=10))
    results = await asyncio.gather(
        *(hits.update(key, key) for key in range(12)), return_exceptions=True
    )
    assert results[:10] == [None] * 10
    assert [type(each) for each in results[10:]] == [bpfmapd.MapFull] * 2
    assert spy.calls == [("UpdateElements", 12)]
    only_new = (hits.update(key, 9, mode="noexist") for key in (0, 1))
    results = await asyncio.gather(*only_new, return_exceptions=True)
    assert [type(each) for each in results] == [bpfmapd.KeyExists] * 2
    assert await hits[0] == 0


async def test_fails_only_what_has_the_wrong_size(spy: Spy, make: Maker) -> None:
    raw = spy.client.map(held=make.numbers().ref.held)
    results = await asyncio.gather(
        raw.update(b"abcd", b"12345678"),
        raw.update(b"abc", b"12345678"),
        raw.update(b"abce", b"1234"),
        raw.update(b"abcf", b"12345678"),
        raw.get(b"much too long"),
        return_exceptions=True,
    )
    assert [type(each) for each in results] == [
        type(None),
        bpfmapd.SizeMismatch,
        bpfmapd.SizeMismatch,
        type(None),
        bpfmapd.SizeMismatch,
    ]
    assert results[1].reason == "KEY_SIZE_MISMATCH"
    assert results[2].reason == "VALUE_SIZE_MISMATCH"
    assert (await raw.count()).count == 2


async def test_fails_only_what_is_out_of_range(spy: Spy, make: Maker) -> None:
    made = make("array", 10, key="I", value="Q")
    slots = await spy.ready(made)
    # The daemon refuses such a call whole, so it is made again in parts.
    results = await asyncio.gather(
        *(slots.update(key, key + 1) for key in (0, 1, 10, 3, 4, 99, 6)), return_exceptions=True
    )
    assert [type(each) for each in results] == [
        type(None),
        type(None),
        errors.KeyOutOfRange,
        type(None),
        type(None),
        errors.KeyOutOfRange,
        type(None),
    ]
    assert made.get_many([0, 1, 3, 4, 6]) == [1, 2, 4, 5, 7]


async def test_gives_each_caller_an_error_of_its_own(spy: Spy, make: Maker) -> None:
    made = make.numbers()
    hits = await spy.ready(made)
    made.freeze()
    results = await asyncio.gather(
        *(hits.update(key, key) for key in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, errors.MapFrozen) for each in results)
    assert len({id(each) for each in results}) == 3


async def test_goes_on_for_the_others_where_one_is_cancelled(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    spy.gate.clear()
    tasks = [asyncio.create_task(hits.update(key, key)) for key in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()  # before it is sent
    await asyncio.sleep(0.05)
    assert spy.calls == [("UpdateElements", 4)]
    tasks[1].cancel()  # while it is under way
    await asyncio.sleep(0)
    spy.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2:] == [None] * 3
    assert await hits.get_many(range(5)) == [None, 1, 2, 3, 4]


async def test_ends_the_call_where_all_are_cancelled(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    spy.gate.clear()
    tasks = [asyncio.create_task(hits.update(key, key)) for key in range(3)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert not hits._batcher._running
    spy.gate.set()
    await hits.update(1, 5)
    assert await hits[1] == 5


async def test_fails_what_waits_where_the_client_is_closed(daemon: Daemon, make: Maker) -> None:
    spy = Spy(daemon.address)
    hits = await spy.ready(make.numbers())
    spy.gate.clear()
    tasks = [asyncio.create_task(hits.update(1, value)) for value in range(3)]
    await asyncio.sleep(0.05)
    tasks.append(asyncio.create_task(hits.get(1)))
    await asyncio.sleep(0.05)
    spy.gate.set()
    await spy.client.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [errors.Cancelled] * 4


async def test_keeps_deadlines(spy: Spy, make: Maker) -> None:
    hits = await spy.ready(make.numbers())
    await asyncio.gather(hits.update(1, 1), hits.update(2, 2, timeout=7), hits.update(3, 3))
    assert spy.calls == [("UpdateElements", 2), ("UpdateElements", 1)]
    assert spy.timeouts[-2:] == [None, 7]


@pytest.mark.parametrize("seed", range(3))
async def test_leaves_what_the_same_calls_leave_one_by_one(
    spy: Spy, make: Maker, seed: int
) -> None:
    """Tasks work on keys of their own, all at once; each sees only its own order."""
    hits = await spy.ready(make.numbers())

    async def work(number: int) -> Dict[int, int]:
        chance = random.Random(seed * 100 + number)
        model: Dict[int, int] = {}
        for _ in range(40):
            key = number * 8 + chance.randrange(8)
            what = chance.randrange(4)
            if what == 0:
                model[key] = chance.randrange(1000)
                await hits.update(key, model[key])
            elif what == 1:
                assert await hits.get(key) == model.get(key)
            elif what == 2:
                assert await hits.take(key) == model.pop(key, None)
            else:
                assert await hits.delete(key) == (model.pop(key, None) is not None)
        return model

    models = await asyncio.gather(*(work(number) for number in range(32)))
    wanted = {key: value for model in models for key, value in model.items()}
    assert {key: value async for key, value in hits} == wanted
    assert len(spy.calls) < 32 * 40 / 3
