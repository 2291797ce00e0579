"""Records of ring buffers, and into user ring buffers, on both faces."""

from __future__ import annotations

import asyncio
import struct
import threading
from dataclasses import dataclass
from typing import Any, AsyncIterator, Iterator, List

import pytest
from conftest import Maker, no_leaks
from support.bpf import produce, produced_bytes
from support.canned import canned, messages

import bpfmapd
import bpfmapd.aio
from bpfmapd import RecordEvent, RecordsLost, errors, proto, u32, u64
from bpfmapd.enums import LossReason


@dataclass
class Flow:
    bytes: u64
    port: u32


@pytest.fixture
def ring(make: Maker) -> bpfmapd.Map[bytes, bytes]:
    return make("ringbuf", 65536)


@pytest.fixture
def commands(make: Maker) -> bpfmapd.Map[bytes, bytes]:
    return make("user_ringbuf", 4096)


def taken(stream: Any, count: int) -> List[Any]:
    return [event for _, event in zip(range(count), stream)]


class TestSync:
    def test_yields_what_the_ring_held_and_what_comes(self, ring: Any) -> None:
        produce(ring.info().id, b"held", b"")
        with no_leaks(), ring.records(exclusive=True) as stream:
            started = stream.start()
            assert started.map.type is bpfmapd.MapType.RINGBUF
            produce(ring.info().id, b"new")
            assert taken(stream, 3) == [
                RecordEvent(0, b"held", None, None),
                RecordEvent(1, b"", None, None),
                RecordEvent(2, b"new", None, None),
            ]
            assert stream.lost == 0

    def test_yields_batches(self, ring: Any) -> None:
        produce(ring.info().id, b"abc", b"de")
        with ring.records(exclusive=True) as stream:
            batch = next(iter(stream.batches()))
        assert (list(batch.sizes), batch.data, batch.first_sequence) == ([3, 2], b"abcde", 0)

    def test_decodes_with_a_codec_of_fixed_size(self, ring: Any) -> None:
        produce(ring.info().id, struct.pack("<QIxxxx", 2**40, 443), b"short")
        with ring.records(exclusive=True, data=Flow) as stream:
            assert next(iter(stream)).data == Flow(2**40, 443)
        produce(ring.info().id, b"short")
        with ring.records(exclusive=True, data=Flow) as stream, pytest.raises(bpfmapd.SizeMismatch):
            taken(stream, 1)

    def test_ends_when_another_thread_closes_it(self, ring: Any) -> None:
        with no_leaks():
            stream = ring.records(exclusive=True)
            stream.start()
            timer = threading.Timer(0.2, stream.close)
            timer.start()
            assert list(stream) == []
            timer.join()

    def test_can_be_left_and_read_by_the_next(self, ring: Any) -> None:
        with no_leaks():
            for turn in range(3):
                produce(ring.info().id, bytes([turn]))
                for event in ring.records(exclusive=True):
                    assert event.data == bytes([turn])
                    break
                del event

    def test_is_refused_unless_exclusive_is_said(self, ring: Any) -> None:
        with pytest.raises(bpfmapd.InvalidArgument) as refused:
            list(ring.records(exclusive=False))
        assert refused.value.violations[0].field == "exclusive"

    def test_writes_records_and_tells_how_many_before_an_error(self, commands: Any) -> None:
        assert commands.write_records([b"one", b"", b"three"]) == 3
        with pytest.raises(errors.RingFull) as full:
            commands.write_records([b"x" * 2000] * 4, fail_when_full=True, chunk_bytes=1)
        assert full.value.metadata["written"] == "2"
        with pytest.raises(bpfmapd.InvalidArgument):
            commands.write_records(["no bytes"])

    def test_sends_what_a_slow_source_has_yielded(self, commands: Any) -> None:
        number = commands.info().id

        def source() -> Iterator[bytes]:
            for written in range(3):
                yield b"12345678"
                # A record takes 16 bytes. The next is not made before this one is in the ring.
                for _ in range(500):
                    if produced_bytes(number) == 16 * (written + 1):
                        break
                    threading.Event().wait(0.02)
                else:
                    pytest.fail("the record waits for others")

        assert commands.write_records(source()) == 3

    def test_ends_with_the_sources_own_error(self, commands: Any) -> None:
        def source() -> Iterator[bytes]:
            yield b"1"
            raise RuntimeError("the source")

        with no_leaks(), pytest.raises(RuntimeError, match="the source"):
            commands.write_records(source())


class TestAsync:
    async def test_yields_what_the_ring_held_and_what_comes(
        self, ring: Any, aio_client: bpfmapd.aio.Client
    ) -> None:
        number = ring.info().id
        produce(number, b"held")
        async with aio_client.map(id=number).records(exclusive=True) as stream:
            await stream.start()
            produce(number, b"new")
            assert (await stream.__anext__()).data == b"held"
            assert (await stream.__anext__()).data == b"new"

    async def test_loses_nothing_to_a_timeout(
        self, ring: Any, aio_client: bpfmapd.aio.Client
    ) -> None:
        number = ring.info().id
        async with aio_client.map(id=number).records(exclusive=True, data="<I") as stream:
            for turn in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.__anext__(), 0.05)
                produce(number, struct.pack("<I", turn))
                assert (await stream.__anext__()).data == turn

    async def test_ends_when_it_is_closed_and_leaves_no_task(
        self, ring: Any, aio_client: bpfmapd.aio.Client
    ) -> None:
        before = asyncio.all_tasks()
        stream = aio_client.map(held=ring.ref.held).records(exclusive=True)
        await stream.start()
        asyncio.get_running_loop().call_later(0.1, stream.close)
        assert [event async for event in stream.batches()] == []
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == before

    async def test_fails_as_the_daemon_says(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        held = make.numbers().ref.held
        with pytest.raises(bpfmapd.NotSupported):
            await aio_client.map(held=held).records(exclusive=True).start()
        with pytest.raises(bpfmapd.NotSupported):
            async for _ in aio_client.map(held=held).records(exclusive=True):
                pass
        with pytest.raises(bpfmapd.NotSupported):
            await aio_client.map(held=held).write_records([b"1"])

    async def test_sends_what_a_slow_source_has_yielded(
        self, commands: Any, aio_client: bpfmapd.aio.Client
    ) -> None:
        number = commands.info().id

        async def source() -> AsyncIterator[bytes]:
            for written in range(3):
                yield b"12345678"
                for _ in range(500):
                    if produced_bytes(number) == 16 * (written + 1):
                        break
                    await asyncio.sleep(0.02)
                else:
                    pytest.fail("the record waits for others")

        assert await aio_client.map(id=number).write_records(source()) == 3


def test_tells_of_lost_records_where_they_are_missing(tmp_path: Any) -> None:
    """A daemon that a test cannot make lose records, says so here."""
    stream = messages(
        proto.ReadRecordsResponse(started=proto.RecordsStarted(map=proto.Map(id=1, type=27))),
        proto.ReadRecordsResponse(lost=proto.RecordsLost(reason=1, count=5)),
        proto.ReadRecordsResponse(records=proto.Records(first_sequence=5, sizes=[1], data=b"x")),
        proto.ReadRecordsResponse(lost=proto.RecordsLost(reason=2, count=2, cpu=3)),
        proto.ReadRecordsResponse(records=proto.Records(first_sequence=6, sizes=[2], data=b"x")),
    )
    with (
        canned(tmp_path / "s", streams={"ReadRecords": stream}) as address,
        bpfmapd.connect(address) as client,
    ):
        records = client.map(id=1).records(exclusive=True)
        assert taken(records, 3) == [
            RecordsLost(LossReason.SLOW_READER, 5, None),
            RecordEvent(5, b"x", None, None),
            RecordsLost(LossReason.RING_FULL, 2, 3),
        ]
        assert records.lost == 7
        with pytest.raises(errors.ProtocolError, match="1 records of 2 bytes"):
            list(client.map(id=1).records(exclusive=True))
