"""Dumps, loads, columns."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator, Iterator, List, Tuple

import numpy
import pytest
from conftest import Maker, no_leaks
from support.canned import canned, messages
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio
from bpfmapd import Filter, PerCpu, errors, proto, u8, u64
from bpfmapd.enums import IncompleteReason


@dataclass
class Stats:
    kind: u8
    bytes_: u64


class CStats(ctypes.Structure):
    _fields_ = [("a", ctypes.c_uint32), ("b", ctypes.c_uint16)]


class TestDump:
    def test_yields_every_element_once(self, make: Maker) -> None:
        hits = make.numbers(5000)
        hits.load((key, key * 2) for key in range(5000))
        dump = hits.dump(chunk_bytes=1000)
        assert dump.header.max_entries == 5000
        assert sorted(dump) == [(key, key * 2) for key in range(5000)]
        assert dump.summary.complete
        assert dump.summary.sent == 5000
        assert sorted(hits.keys()) == list(range(5000))
        assert sorted(hits.values()) == [key * 2 for key in range(5000)]
        assert sum(chunk.count for chunk in hits.dump().chunks()) == 5000

    def test_filters_on_the_host(self, make: Maker) -> None:
        slots = make("array", 100, key=int, value=int, value_size=4)
        assert list(slots.keys(Filter(start=10, end=13))) == [10, 11, 12]
        slots[50] = 0xFF00
        mask = Filter[int](value_mask=b"\0\xff\0\0")
        assert list(slots.items(mask)) == [(50, 0xFF00)]
        assert slots.count(mask).count == 1
        raw = make(key_size=4, value_size=4)
        raw.update_many([(b"abcd", b"1234"), (b"abce", b"1234"), (b"xbcd", b"1234")])
        assert sorted(raw.keys(Filter(key_prefix=b"ab"))) == [b"abcd", b"abce"]

    def test_says_why_it_is_not_complete(self, make: Maker) -> None:
        hits = make.numbers()
        hits.load((key, key) for key in range(100))
        dump = hits.dump(max_elements=10)
        assert len(list(dump)) == 10
        assert not dump.summary.complete
        assert dump.summary.incomplete_reason is IncompleteReason.MAX_ELEMENTS

    def test_tells_how_far_it_is(self, make: Maker) -> None:
        hits = make.numbers(20000)
        hits.load((key, key) for key in range(20000))
        told: List[bpfmapd.DumpProgress] = []
        dump = hits.dump(
            max_elements_per_second=50000, on_progress=told.append, progress_interval=0.1
        )
        assert len(list(dump)) == 20000
        assert 0 < told[0].sent <= 20000

    def test_can_be_read_once_and_left_early(self, make: Maker) -> None:
        hits = make.numbers(20000)
        hits.load((key, key) for key in range(20000))
        dump = hits.dump(chunk_bytes=1000)
        with no_leaks():
            for _ in dump:
                break
        with pytest.raises(bpfmapd.InvalidArgument, match="read once"):
            list(dump)
        with pytest.raises(errors.Cancelled, match="not been read"):
            _ = dump.summary
        with hits.dump(chunk_bytes=1000) as other:
            next(iter(other))
        with pytest.raises(errors.Cancelled):
            list(other._chunks())

    @pytest.mark.parametrize(
        ("answers", "why"),
        [
            ([], "without a summary"),
            ([proto.DumpMapResponse(summary=proto.DumpSummary())], "summary out of place"),
            (
                [
                    proto.DumpMapResponse(
                        header=proto.DumpHeader(map=proto.Map(key_size=4), value_stride=4)
                    ),
                    proto.DumpMapResponse(
                        elements=proto.Elements(count=2, keys=b"12345678", values=b"1234")
                    ),
                ],
                "4 of values for 2 elements of 4 and 4 bytes",
            ),
        ],
    )
    async def test_refuses_a_stream_that_is_not_whole(
        self, tmp_path: Path, answers: List[Any], why: str
    ) -> None:
        with canned(tmp_path / "s", streams={"DumpMap": messages(*answers)}) as address:
            with bpfmapd.connect(address) as client, pytest.raises(errors.ProtocolError, match=why):
                await asyncio.to_thread(list, client.map(id=1))
            async with bpfmapd.aio.connect(address) as aio_client:
                with pytest.raises(errors.ProtocolError, match=why):
                    [pair async for pair in aio_client.map(id=1)]

    async def test_of_asyncio_does_the_same(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        made = make.numbers(5000)
        hits = aio_client.map(held=made.ref.held, key=int, value=int)
        await hits.load((key, key * 2) for key in range(5000))
        dump = hits.dump(chunk_bytes=1000)
        assert (await dump.header()).max_entries == 5000
        assert sorted([pair async for pair in dump]) == [(key, key * 2) for key in range(5000)]
        assert dump.summary.complete
        assert sorted([key async for key in hits.keys(Filter(start=0))]) == list(range(5000))
        assert len([value async for value in hits.values()]) == 5000
        async for _ in hits:
            break
        async with hits.dump(chunk_bytes=1000) as other:
            async for _ in other:
                break
        columns = await hits.columns()
        assert columns.numpy_keys().sum() == sum(range(5000))

    async def test_ends_with_the_task_that_reads_it(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        make.numbers(20000).load((key, key) for key in range(20000))
        held = make._holds[-1]
        hits = aio_client.map(held=held, key=int, value=int)

        async def read() -> None:
            async for _ in hits.dump(max_elements_per_second=1000):
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestLoad:
    def test_replaces_the_contents(self, make: Maker) -> None:
        hits = make.numbers()
        hits.load([(1, 1), (2, 2)])
        dry = hits.load([(2, 3), (3, 3)], strategy="replace", dry_run=True)
        assert (dry.written, dry.added, dry.changed, dry.removed) == (0, 1, 1, 1)
        done = hits.load([(2, 3), (3, 3)], strategy=bpfmapd.LoadStrategy.REPLACE)
        assert (done.written, done.added, done.unchanged) == (2, 1, 0)
        assert sorted(hits) == [(2, 3), (3, 3)]
        assert hits.load([]).received == 0
        assert hits.clear() == 2

    def test_runs_the_iterable_in_the_callers_thread(self, make: Maker) -> None:
        threads = set()

        def rows() -> Iterator[Tuple[int, int]]:
            for key in range(1000):
                threads.add(threading.current_thread())
                yield key, key

        assert make.numbers().load(rows(), chunk_bytes=100).written == 1000
        assert threads == {threading.current_thread()}

    def test_removes_nothing_where_the_iterable_fails(self, make: Maker) -> None:
        hits = make.numbers()
        hits[999] = 1

        def rows() -> Iterator[Tuple[int, int]]:
            for key in range(100):
                yield key, key
            raise LookupError("the file is broken")

        with pytest.raises(LookupError, match="the file is broken"):
            hits.load(rows(), strategy="replace", chunk_bytes=100)
        assert hits[999] == 1
        with pytest.raises(bpfmapd.InvalidArgument, match="cannot be encoded"):
            hits.load([(1, 1), (-1, 1)], strategy="replace")
        assert hits[999] == 1

    def test_stops_at_a_full_map(self, make: Maker) -> None:
        hits = make.numbers(max_entries=100)
        taken = []

        def rows() -> Iterator[Tuple[int, int]]:
            for key in range(1_000_000):
                taken.append(key)
                yield key, key

        with no_leaks(), pytest.raises(bpfmapd.MapFull):
            hits.load(rows(), chunk_bytes=1200)
        # Back-pressure: little more than what fits was asked for.
        assert len(taken) < 900_000

    def test_fills_every_cpus_slot_and_queues(self, make: Maker) -> None:
        hits = make("percpu_array", 4, key=int, value=PerCpu(int), value_size=8)
        hits.typed(int, int, all_cpus=True).load([(0, 7), (1, 8)])
        cpus = len(hits.info().cpus)
        assert hits.get_many([0, 1, 2]) == [[7] * cpus, [8] * cpus, [0] * cpus]
        queue = make("queue", 10, value=int, value_size=4)
        queue.load((b"", number) for number in range(3))
        assert queue.pop_many(5) == [0, 1, 2]

    async def test_of_asyncio_takes_both_kinds_of_iterables(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        make.numbers(100)
        hits = aio_client.map(held=make._holds[-1], key=int, value=int)

        async def rows(count: int) -> AsyncIterator[Tuple[int, int]]:
            for key in range(count):
                await asyncio.sleep(0)
                yield key, key

        assert (await hits.load(rows(50), strategy="replace", chunk_bytes=100)).added == 50
        assert (await hits.load([(1, 5)], strategy="replace")).removed == 49
        with pytest.raises(bpfmapd.MapFull):
            await hits.load(rows(5000), chunk_bytes=100)

        async def broken() -> AsyncIterator[Tuple[int, int]]:
            yield 5, 5
            raise LookupError("broken")

        await hits.clear()
        await hits.update(77, 7)
        with pytest.raises(LookupError):
            await hits.load(broken(), strategy="replace", chunk_bytes=1)
        assert await hits[77] == 7

    async def test_of_asyncio_that_is_cancelled_removes_nothing(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        make.numbers(100)
        hits = aio_client.map(held=make._holds[-1], key=int, value=int)
        await hits.update(77, 7)

        async def slow() -> AsyncIterator[Tuple[int, int]]:
            for key in range(10):
                yield key, key
                await asyncio.sleep(10)

        task = asyncio.create_task(hits.load(slow(), strategy="replace", chunk_bytes=1))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await hits[77] == 7


class TestColumns:
    def test_share_their_memory_with_numpy(self, make: Maker) -> None:
        hits = make.numbers()
        hits.load((key, key + 1) for key in range(100))
        columns = hits.columns()
        keys, values = columns.numpy_keys(), columns.numpy_values()
        assert (keys.dtype, values.dtype) == (numpy.dtype("<u4"), numpy.dtype("<u8"))
        assert ((keys + 1) == values).all()
        assert numpy.shares_memory(keys, numpy.frombuffer(columns.keys, "u1"))
        assert (len(columns), columns.key_size, columns.value_stride) == (100, 4, 8)
        assert columns.summary.complete
        assert dict(iter(columns)) == dict(hits.items())
        assert len(columns.keys) == 400

    def test_have_the_fields_of_their_codecs(self, make: Maker) -> None:
        mixed = make(key="!HxB", value=Stats)
        mixed[(258, 7)] = Stats(1, 2)
        columns = mixed.columns()
        assert columns.numpy_keys()["f0"].tolist() == [258]
        assert columns.numpy_keys()["f1"].tolist() == [7]
        assert columns.numpy_values()["bytes_"].tolist() == [2]
        frame = columns.to_pandas()
        assert frame.columns.tolist() == ["key.f0", "key.f1", "value.kind", "value.bytes_"]
        assert frame.iloc[0].tolist() == [258, 7, 1, 2]
        structs = make(key=bytes, value=CStats, key_size=3)
        structs[b"abc"] = CStats(1, 2)
        columns = structs.columns()
        assert columns.numpy_keys().tolist() == [list(b"abc")]
        assert columns.numpy_values()["b"].tolist() == [2]
        assert columns.to_pandas()["key"].tolist() == [b"abc"]

    def test_have_a_dimension_for_cpus(self, make: Maker) -> None:
        hits = make("percpu_hash", key="I", value=PerCpu("I"))
        cpus = hits.info().cpus
        hits[1] = list(range(len(cpus)))
        columns = hits.columns()
        assert columns.numpy_values().tolist() == [list(range(len(cpus)))]
        names = [f"value.cpu{cpu}" for cpu in cpus]
        assert columns.to_pandas().columns.tolist() == ["key", *names]

    def test_of_an_empty_map_are_empty(self, make: Maker) -> None:
        columns = make.numbers().columns()
        assert len(columns.numpy_keys()) == len(columns.to_pandas()) == 0


def test_no_thread_and_no_socket_is_left(daemon: Daemon, make: Maker) -> None:
    held = make.numbers().ref.held
    with no_leaks():
        for _ in range(3):
            client = bpfmapd.connect(daemon.address)
            hits = client.map(held=held, key=int, value=int)
            hits.load((key, key) for key in range(1000))
            for _ in hits.dump(chunk_bytes=100):
                break
            for _ in hits.watch():
                break
            client.close()
            del client, hits


async def test_no_task_is_left(daemon: Daemon, make: Maker) -> None:
    held = make.numbers().ref.held
    before = asyncio.all_tasks()
    async with bpfmapd.aio.connect(daemon.address) as client:
        hits = client.map(held=held, key=int, value=int)
        await asyncio.gather(*(hits.update(key, key) for key in range(100)))
        async for _ in hits:
            break
        async for _ in hits.watch():
            break
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before
