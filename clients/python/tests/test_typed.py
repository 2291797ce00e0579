"""Plain values by type, and kernel objects, on both faces."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import Any, Iterator

import pytest
from conftest import Maker
from support.bpf import load_program, program_id
from support.canned import canned, messages
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio
from bpfmapd import Filter, Order, Put, Synced, Typing, Where, errors, proto
from bpfmapd.objects import (
    Cgroup,
    CpuQueue,
    Device,
    InnerMap,
    Interface,
    PerfEvent,
    ProcessFile,
    Program,
    Socket,
    Task,
)

NUMBERS = Typing(key="__u32", value="__u64", kernel="vmlinux")
BIG = 2**63 + 1


@pytest.fixture
def typed(make: Maker) -> bpfmapd.Map[Any, Any]:
    return make.numbers().json(NUMBERS)


class TestJson:
    def test_passes_through_every_call_on_elements(self, typed: Any) -> None:
        typed[1] = BIG
        assert typed[1] == str(BIG)
        assert typed.update_many([(2, "0x10"), (3, 7)]).applied == 2
        assert typed.get_many([2, 9, 3]) == ["16", None, "7"]
        assert 2 in typed
        assert typed.take(2) == "16"
        assert typed.next_key(None) in (1, 3)
        assert typed.delete_many([3, 4]).failures[0].item == 4
        assert list(typed) == [(1, str(BIG))]
        assert list(typed.keys()) == [1]
        assert list(typed.values()) == [str(BIG)]
        assert typed.schema().source == "vmlinux"

    def test_stands_beside_other_codecs(self, make: Maker) -> None:
        hits = make.numbers()
        hits[5] = 50
        values = hits.typed(int, "json", typing=NUMBERS)
        keys = hits.typed("json", "Q", typing=NUMBERS)
        assert list(values) == [(5, "50")]
        assert list(keys) == [(5, 50)]
        assert values[5] == "50"
        assert keys[5] == 50

    def test_loads_and_watches(self, typed: Any) -> None:
        done = typed.load([(key, key * 2) for key in range(500)], chunk_bytes=2000)
        assert done.written == 500
        told = {}
        with typed.watch(poll_interval=0.02) as watch:
            for event in watch:
                if isinstance(event, Put) and event.initial:
                    told[event.key] = event.value
                elif isinstance(event, Synced):
                    typed[7] = 15
                elif isinstance(event, Put) and event.key == 7:
                    assert event.value == "15"
                    break
        assert told == {key: str(key * 2) for key in range(500)}

    def test_tells_the_values_before(self, tmp_path: Any) -> None:
        """As a daemon tells them that knows them."""
        stream = messages(
            proto.WatchResponse(created=proto.WatchCreated(map=proto.Map(id=1, key_size=4))),
            proto.WatchResponse(
                events=proto.WatchEvents(
                    puts=proto.Elements(count=2, json_keys=["1", "2"], json_values=["3", "4"]),
                    deletes=proto.Elements(count=1, json_keys=["5"]),
                    previous_present=b"\5",
                    json_previous=['{"a": 1}', "", "6"],
                )
            ),
            proto.WatchResponse(map_gone=proto.WatchMapGone(id=1)),
        )
        with (
            canned(tmp_path / "s", streams={"Watch": stream}) as address,
            bpfmapd.connect(address) as client,
        ):
            _, *changes, _ = client.map(id=1).json().watch(previous_values=True)
        assert [(change.key, change.previous) for change in changes] == [
            (1, {"a": 1}),
            (2, None),
            (5, 6),
        ]

    def test_chooses_and_orders_by_field(self, typed: Any) -> None:
        typed.load([(key, key % 100) for key in range(300)])
        most = typed.dump(order=Order("value", 2, descending=True))
        assert {value for _, value in most} == {"99"}
        few = Filter(where=[Where("value", "<", 2), Where("key", ">=", 100)])
        assert sorted(typed.keys(few)) == [100, 101, 200, 201]
        assert typed.count(few).count == 4
        with pytest.raises(bpfmapd.InvalidArgument):
            typed.count(Filter(where=[Where("value", "~", 2)]))
        with pytest.raises(bpfmapd.InvalidArgument):
            typed.count(Filter(where=[Where("value.none", "<", 2)]))

    def test_refuses_what_is_not_of_the_type_and_changes_nothing(self, typed: Any) -> None:
        with pytest.raises(bpfmapd.InvalidArgument) as refused:
            typed.update_many([(1, 1), (2, -1)])
        assert refused.value.reason == "JSON_INVALID"
        assert refused.value.violations[0].field == "elements.json_values[1]"
        with pytest.raises(bpfmapd.InvalidArgument):
            typed[1] = float("nan")
        with pytest.raises(bpfmapd.InvalidArgument):
            typed[1] = {1, 2}
        with pytest.raises(bpfmapd.InvalidArgument):
            typed.columns()
        assert typed.count().count == 0

    def test_needs_types(self, make: Maker) -> None:
        with pytest.raises(errors.NoTypes):
            make.numbers().json()[1]
        with pytest.raises(bpfmapd.InvalidArgument):
            make.numbers().json(Typing(kernel="vmlinux", btf_id=1)).schema()

    def test_has_a_list_for_each_per_cpu_value(self, make: Maker) -> None:
        counters = make("percpu_array", 1, key=int, value="Q", cpu=0)
        cpus = len(counters.info().cpus)
        typed = counters.json(Typing(value="__u64", kernel="vmlinux"))
        typed[0] = list(range(cpus))
        assert typed[0] == [str(cpu) for cpu in range(cpus)]
        assert counters.json(Typing(value="__u64", kernel="vmlinux"), cpu=0)[0] == "0"

    def test_is_created_with_elements(self, client: bpfmapd.Client, unique: str) -> None:
        made = client.create_map(
            "hash",
            5,
            key="json",
            value="json",
            key_size=4,
            value_size=8,
            hold=unique,
            typing=NUMBERS,
            elements=[(1, 2)],
        )
        assert made.created
        assert dict(made.items()) == {1: "2"}
        client.release(unique)

    def test_passes_through_queues(self, make: Maker) -> None:
        queue = make("queue", 5, value="Q").typed(
            bytes, "json", typing=Typing(value="__u64", kernel="vmlinux")
        )
        assert queue.push(1, 2, 3) == 3
        assert queue.peek() == "1"
        assert queue.pop_many(5) == ["1", "2", "3"]
        assert queue.pop() is None

    async def test_is_the_same_for_asyncio(
        self, make: Maker, aio_client: bpfmapd.aio.Client
    ) -> None:
        typed = aio_client.map(held=make.numbers().ref.held).json(NUMBERS)
        await typed.update(1, BIG)
        await typed.load([(2, 3)])
        assert await typed[1] == str(BIG)
        assert await typed.take(1) == str(BIG)
        assert [pair async for pair in typed] == [(2, "3")]
        assert await typed.delete(2)
        assert (await typed.schema()).key == "__u32 key;\n"


@pytest.fixture
def program() -> Iterator[int]:
    fd = load_program()
    yield fd
    os.close(fd)


@pytest.fixture
def jumps(make: Maker) -> bpfmapd.Map[int, Any]:
    return make("prog_array", 4, key="I", value="object", value_size=4)


class TestObjects:
    def test_names_programs(self, jumps: Any, program: int) -> None:
        number = program_id(program)
        jumps[1] = Program(id=number)
        assert jumps[1] == Program(id=number)
        assert jumps.get(2) is None
        assert (1, Program(id=number)) in list(jumps.items())
        assert jumps.typed("I", "I")[1] == number
        assert jumps.delete(1)

    async def test_names_programs_for_asyncio(
        self, jumps: Any, program: int, aio_client: bpfmapd.aio.Client
    ) -> None:
        number = program_id(program)
        other = aio_client.map(held=jumps.ref.held, key="I", value="object")
        await other.update(1, Program(id=number))
        assert await other[1] == Program(id=number)

    def test_names_interfaces_queues_events_and_cgroups(self, make: Maker) -> None:
        devices = make("devmap", 4, key="I", value="object", value_size=4)
        devices[0] = Device(Interface(name="lo"))
        assert devices[0] == Device(Interface(name="lo"))
        queues = make("cpumap", 4, key="I", value="object", value_size=4)
        queues[0] = CpuQueue(64)
        assert queues[0] == CpuQueue(64)
        events = make("perf_event_array", 1, key="I", value="object", value_size=4)
        events[0] = PerfEvent(cpu=0)
        cgroups = make("cgroup_array", 1, key="I", value="object", value_size=4)
        cgroups[0] = Cgroup(path="/")

    def test_names_sockets_by_fd_and_cookie(self, make: Maker) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as near,
        ):
            sockets = make("sockmap", 2, key="I", value="object", value_size=8)
            sockets[0] = Socket(ProcessFile(os.getpid(), near.fileno()))
            cookie = int.from_bytes(near.getsockopt(socket.SOL_SOCKET, 57, 8), "little")
            assert sockets[0] == Socket(cookie=cookie)
            with pytest.raises(bpfmapd.InvalidArgument):
                sockets[1] = Socket(cookie=cookie)

    def test_names_tasks_as_keys(self, make: Maker) -> None:
        with subprocess.Popen(["sleep", "100"]) as process:
            try:
                seen = make("task_storage", 0, key="object", value="Q", key_size=4, flags=1)
                seen[Task(process.pid)] = 7
                assert seen[Task(process.pid)] == 7
                assert seen.delete(Task(process.pid))
                with pytest.raises(bpfmapd.KeyNotFound):
                    seen[Task(process.pid)]
            finally:
                process.kill()

    def test_refuses_what_is_none_or_not_there(self, jumps: Any) -> None:
        for bad in (Program(), Program(id=1, pin="/x"), 5, Task(1), InnerMap(id=1, held="x")):
            with pytest.raises(bpfmapd.InvalidArgument):
                jumps[0] = bad
        with pytest.raises(errors.ObjectNotFound):
            jumps[0] = Program(id=2**31)
        with pytest.raises(bpfmapd.InvalidArgument):
            jumps.watch()


class TestInnerMaps:
    @pytest.fixture
    def outer(self, make: Maker, client: bpfmapd.Client) -> bpfmapd.Map[int, Any]:
        inner = make("hash", 10, key_size=4, value_size=8)
        spec = proto.MapSpec(inner_map=inner.ref)
        made = make("array_of_maps", 2, key="I", value="object", value_size=4, spec=spec)
        made[0] = inner
        return made  # type: ignore[no-any-return]

    def test_are_named_and_replaced_whole(self, outer: Any, client: bpfmapd.Client) -> None:
        before = outer[0]
        done = outer.replace_inner(0, [(1, 10), (2, 20)], key="I", value="Q")
        assert (done.received, done.written) == (2, 2)
        after = outer[0]
        assert isinstance(after, InnerMap)
        assert after.id != before.id
        assert dict(client.map(id=after.id, key="I", value="Q").items()) == {1: 10, 2: 20}
        planned = outer.replace_inner(0, [(1, 11)], key="I", value="Q", dry_run=True)
        assert (planned.changed, planned.removed) == (1, 1)
        assert outer[0].id == after.id

    def test_are_filled_where_the_slot_is_empty(self, outer: Any, client: bpfmapd.Client) -> None:
        assert outer.replace_inner(1, [(b"\1\0\0\0", bytes(8))]).written == 1
        assert client.map(id=outer[1].id).count().count == 1

    def test_are_left_alone_by_a_load_that_fails(self, outer: Any) -> None:
        before = outer[0]
        with pytest.raises(bpfmapd.SizeMismatch):
            outer.replace_inner(0, [(b"\1", bytes(8))])
        with pytest.raises(bpfmapd.InvalidArgument):
            outer.load([(0, before)], strategy="replace_atomic")
        assert outer[0] == before

    async def test_are_replaced_in_asyncio(
        self, outer: Any, aio_client: bpfmapd.aio.Client
    ) -> None:
        other = aio_client.map(held=outer.ref.held, key="I", value="object")
        done = await other.replace_inner(0, [(1, 10)], key="I", value="Q")
        assert done.written == 1
        inner = await other[0]
        assert await aio_client.map(id=inner.id, key="I", value="Q")[1] == 10


def test_reads_and_writes_memory(make: Maker, client: bpfmapd.Client) -> None:
    slots = make("array", 2, key="I", value="Q", flags=bpfmapd.CreateFlag.MMAPABLE)
    slots.write_memory(6, b"\xaa\xbb\xcc")
    assert slots.read_memory(0, 16) == bytes(6) + b"\xaa\xbb\xcc" + bytes(7)
    with pytest.raises(bpfmapd.InvalidArgument):
        slots.read_memory(8, 9)


def test_tells_capabilities_holders_and_programs(
    client: bpfmapd.Client, make: Maker, daemon: Daemon
) -> None:
    (told,) = client.capabilities("percpu_hash")
    assert told.type is bpfmapd.MapType.PERCPU_HASH
    assert told.availability.name == "AVAILABLE"
    assert bpfmapd.enums.MapOperation.LOOKUP in told.operations
    assert len(client.capabilities()) > 30
    info = make.numbers().info(programs=True, holders=True)
    assert info.programs == ()
    assert [holder.pid for holder in info.holders] == [daemon.pid]
