"""Runner of the conformance cases through the Python client; see test/conformance/README.md.

Usage: python runner.py [--asyncio] ADDRESS

The commands are written once, for both faces: `now` waits for what is awaitable. With the
synchronous face nothing is, so that no event loop runs there.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Awaitable, Callable, Dict, List, Optional

import grpc
from background import InTask, InThread

import bpfmapd
import bpfmapd.aio
from bpfmapd import (
    Delete,
    Filter,
    Gone,
    Number,
    Order,
    Put,
    Resync,
    Synced,
    Top,
    Typing,
    WatchFilter,
    proto,
)
from bpfmapd.enums import OnError, Projection, WatchFidelity
from bpfmapd.fleet import HostResult, HostSelector, host_selector

Answer = Dict[str, Any]
COMMANDS: Dict[str, Callable[..., Awaitable[Answer]]] = {}


def command(function: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
    COMMANDS[function.__name__.rstrip("_")] = function
    return function


async def now(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def listed(items: Any) -> List[Any]:
    return [item async for item in items] if hasattr(items, "__aiter__") else list(items)


def unhex(texts: List[str]) -> List[bytes]:
    return [bytes.fromhex(text) for text in texts]


def pairs(elements: Any) -> Any:
    return [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in elements]


def hex_or_none(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else data.hex()


def seconds(milliseconds: Optional[int]) -> Optional[float]:
    return None if milliseconds is None else milliseconds / 1000


def given(**options: Any) -> Dict[str, Any]:
    """Without what a command left out."""
    return {name: value for name, value in options.items() if value is not None}


def filter_of(arguments: Answer) -> Any:
    prefix = arguments.get("key_prefix")
    return Filter(key_prefix=bytes.fromhex(prefix)) if prefix else None


def map_answer(info: bpfmapd.MapInfo) -> Answer:
    return {
        "id": info.id,
        "name": info.name,
        "type": info.type.name,
        "key_size": info.key_size,
        "value_size": info.value_size,
        "value_stride": info.value_stride,
        "max_entries": info.max_entries,
        "frozen": info.frozen,
        "pin_paths": list(info.pins),
        "holds": [hold_answer(hold) for hold in info.holds],
    }


def hold_answer(hold: bpfmapd.Hold) -> Answer:
    lease = None if hold.lease is None else round(hold.lease.total_seconds() * 1000)
    return {"name": hold.name, **given(lease=lease)}


def applied_answer(done: bpfmapd.Applied[Any]) -> Answer:
    failures = [{"index": each.index, "reason": each.error.reason} for each in done.failures]
    return {"applied": done.applied, "failures": failures}


class Picture:
    """What somebody who watches knows of a map."""

    def __init__(self, follows: bool) -> None:
        self.contents: Dict[str, str] = {}
        self.resyncs: List[str] = []
        self.synced = False
        self.gone = False
        self._follows = follows

    def apply(self, event: Any) -> None:
        if isinstance(event, Put):
            self.contents[event.key.hex()] = event.value.hex()
        elif isinstance(event, Delete):
            self.contents.pop(event.key.hex(), None)
        elif isinstance(event, Synced):
            self.synced = True
        elif isinstance(event, Resync):
            self.synced = False
            self.contents.clear()
            self.resyncs.append(event.reason.name)
        elif isinstance(event, Gone) and not self._follows:
            self.gone = True

    def elements(self) -> List[List[str]]:
        return sorted([key, value] for key, value in self.contents.items())


class Runner:
    """A client, and what goes on in the background."""

    def __init__(self, address: str, asynchronous: bool) -> None:
        options = [("grpc.initial_reconnect_backoff_ms", 50)]
        connect: Any = bpfmapd.aio.connect if asynchronous else bpfmapd.connect
        self.client = connect(address, channel_options=options)
        self.asynchronous = asynchronous
        self.background: Any = InTask if asynchronous else InThread
        self.watches: Dict[str, Any] = {}
        self.recordings: Dict[str, Any] = {}

    def map(self, arguments: Answer, **options: Any) -> Any:
        ref = dict(arguments["map"])
        ref["pin"] = ref.pop("pin_path", None)
        return self.client.map(**ref, **options)

    def view(self, arguments: Answer) -> Any:
        return self.map(arguments, cpu=arguments.get("cpu"), fold=arguments.get("fold"))

    def target(self, arguments: Answer) -> Any:
        all_cpus = arguments.get("all_cpus", False)
        return self.map(arguments, cpu=arguments.get("cpu"), all_cpus=all_cpus)

    def json_map(self, arguments: Answer) -> Any:
        typing = arguments.get("typing")
        if typing is None:
            return self.map(arguments).json()
        names = {"key": typing.get("key_type", ""), "value": typing.get("value_type", "")}
        return self.map(arguments).json(Typing(kernel=typing.get("kernel"), **names))

    async def do(self, line: str) -> Answer:
        arguments = json.loads(line)
        try:
            return {"answer": await COMMANDS[arguments.pop("command")](self, arguments)}
        except bpfmapd.BpfmapError as error:
            fields = [violation.field for violation in error.violations]
            return {"error": {"code": error.code.name, "reason": error.reason, "fields": fields}}

    async def close(self) -> None:
        for each in [*self.watches.values(), *self.recordings.values()]:
            await now(each[-1].stop())
        await now(self.client.close())


@command
async def get_host(runner: Runner, arguments: Answer) -> Answer:
    host = await now(runner.client.host_info())
    return {
        "boot_id": host.boot_id,
        "byte_order": host.byte_order,
        "possible_cpus": list(host.possible_cpus),
        "bpffs_roots": list(host.bpffs_roots),
    }


@command
async def get_capabilities(runner: Runner, arguments: Answer) -> Answer:
    types = await now(runner.client.capabilities(*arguments.get("types", [])))
    return {
        "types": [
            {
                "name": each.name,
                "availability": each.availability.name,
                "operations": [operation.name for operation in each.operations],
            }
            for each in types
        ]
    }


@command
async def explain_access(runner: Runner, arguments: Answer) -> Answer:
    ref = runner.map(arguments).ref
    explained = await now(runner.client.explain_access(arguments["verb"], ref))
    return {"allowed": explained.allowed, "enforced": explained.enforced}


@command
async def get_map(runner: Runner, arguments: Answer) -> Answer:
    options = given(pins=arguments.get("pins"), holders=arguments.get("holders"))
    return map_answer(await now(runner.map(arguments).info(**options)))


@command
async def list_maps(runner: Runner, arguments: Answer) -> Answer:
    maps = runner.client.list_maps(
        name=arguments.get("name_glob"),
        types=arguments.get("types", []),
        pinned=arguments.get("pinned"),
        held=arguments.get("held"),
    )
    return {"names": [each.name for each in await listed(maps)]}


def selector(arguments: Answer) -> HostSelector:
    return host_selector(*arguments.get("host_ids", []), labels=arguments.get("labels"))


@command
async def fleet_hosts(runner: Runner, arguments: Answer) -> Answer:
    hosts = await listed(runner.client.fleet_hosts(selector(arguments)))
    return {"hosts": [{"id": each.id, "connected": each.liveness == 1} for each in hosts]}


@command
async def fan_get_map(runner: Runner, arguments: Answer) -> Answer:
    request = proto.GetMapRequest(map=proto.MapRef(**arguments["map"]))
    answers = await listed(runner.client.fan_out(request, hosts=selector(arguments)))
    results = [
        {
            "host": each.host_id,
            "outcome": each.outcome.name,
            "name": each.response.map.name if each.response else "",
            "reason": each.error.reason if each.error else "",
        }
        for each in answers
        if isinstance(each, HostResult)
    ]
    summary = answers[-1]
    by_host = sorted(results, key=lambda each: each["host"])
    return {"matched": summary.matched, "ok": summary.ok, "results": by_host}


def columns(elements: Any) -> proto.Elements:
    keys = b"".join(bytes.fromhex(key) for key, _ in elements)
    values = b"".join(bytes.fromhex(value) for _, value in elements)
    return proto.Elements(count=len(elements), keys=keys, values=values)


async def of_fleet(call: Callable[[], Any]) -> Any:
    """What a raw call answers; its error is made one of the package."""
    try:
        return await now(call())
    except grpc.RpcError as error:
        raise bpfmapd.BpfmapError.from_rpc(error) from error


@command
async def put_set(runner: Runner, arguments: Answer) -> Answer:
    target = proto.MapSetTarget(map=proto.MapRef(**arguments["map"]))
    spec = proto.MapSetSpec(selector=HostSelector(), target=target, key_size=4, value_size=4)
    start = proto.PutMapSetStart(
        name=arguments["set"], spec=spec, expected_generation=arguments.get("expected")
    )
    requests = [
        proto.PutMapSetRequest(start=start),
        proto.PutMapSetRequest(elements=columns(arguments["elements"])),
    ]
    answer = await of_fleet(lambda: runner.client.fleet.PutMapSet(iter(requests)))
    told = answer.map_set
    return {
        "generation": told.generation,
        "elements": told.element_count,
        "new": answer.new_generation,
    }


@command
async def patch_set(runner: Runner, arguments: Answer) -> Answer:
    removed = unhex(arguments["removed"])
    request = proto.PatchMapSetRequest(
        name=arguments["set"],
        puts=columns(arguments["elements"]),
        removed_keys=b"".join(removed),
        removed_count=len(removed),
        expected_generation=arguments.get("expected"),
    )
    answer = await of_fleet(lambda: runner.client.fleet.PatchMapSet(request))
    return {
        "generation": answer.map_set.generation,
        "added": answer.added,
        "changed": answer.changed,
        "removed": answer.removed,
        "unchanged": answer.unchanged,
    }


@command
async def get_set(runner: Runner, arguments: Answer) -> Answer:
    request = proto.GetMapSetRequest(
        name=arguments["set"], generation=arguments.get("generation", 0)
    )
    told: Answer = {"elements": []}
    for answer in await of_fleet(lambda: listed(runner.client.fleet.GetMapSet(request))):
        if answer.HasField("map_set"):
            told["generation"] = answer.map_set.generation
        keys, values = answer.elements.keys, answer.elements.values
        for at in range(0, len(keys), 4):
            told["elements"].append([keys[at : at + 4].hex(), values[at : at + 4].hex()])
    return told


@command
async def list_sets(runner: Runner, arguments: Answer) -> Answer:
    answer = await of_fleet(lambda: runner.client.fleet.ListMapSets(proto.ListMapSetsRequest()))
    return {"sets": [each.name for each in answer.map_sets]}


@command
async def delete_set(runner: Runner, arguments: Answer) -> Answer:
    request = proto.DeleteMapSetRequest(name=arguments["set"])
    await of_fleet(lambda: runner.client.fleet.DeleteMapSet(request))
    return {}


@command
async def await_set(runner: Runner, arguments: Answer) -> Answer:
    def is_done(answer: Any) -> bool:
        totals = answer.totals
        is_here = totals.generation == arguments["generation"] and totals.applied == totals.hosts
        return bool(answer.HasField("totals") and is_here)

    request = proto.WatchMapSetStatusRequest(name=arguments["set"])
    events = runner.client.fleet.WatchMapSetStatus(request)
    if hasattr(events, "__aiter__"):
        async for event in events:
            if is_done(event):
                break
    else:
        event = next(event for event in events if is_done(event))
    events.cancel()
    return {"hosts": event.totals.hosts}


def number_field(told: Any) -> Any:
    return told if isinstance(told, str) else Number(**told)


def decimal(number: Optional[int]) -> Optional[str]:
    return None if number is None else str(number)


@command
async def aggregate(runner: Runner, arguments: Answer) -> Answer:
    top = arguments.get("top")
    answer = await now(
        runner.map(arguments).aggregate(
            [number_field(each) for each in arguments["fields"]],
            filter=filter_of(arguments),
            top=None if top is None else Top(**top),
        )
    )
    totals = []
    for each in answer.totals:
        told: Answer = {
            "count": each.count,
            "sum": decimal(each.sum),
            "min": decimal(each.min),
            "max": decimal(each.max),
        }
        if each.histogram is not None:
            told["histogram"] = {
                "negative": each.histogram.negative,
                "buckets": list(each.histogram.buckets),
            }
        totals.append(told)
    keys = [[each.key.hex(), decimal(each.number)] for each in answer.top]
    return {
        "elements": answer.elements,
        "complete": answer.complete,
        "totals": totals,
        "top": {"keys": keys, "others_max": decimal(answer.others_max)},
    }


@command
async def count(runner: Runner, arguments: Answer) -> Answer:
    counted = await now(runner.map(arguments).count(filter_of(arguments)))
    return {
        "count": counted.count,
        "max_entries": counted.max_entries,
        "complete": counted.complete,
    }


@command
async def create_map(runner: Runner, arguments: Answer) -> Answer:
    spec = arguments["spec"]
    hold = arguments.get("hold", {})
    made = await now(
        runner.client.create_map(
            spec["type"],
            spec["max_entries"],
            name=spec.get("name", ""),
            key_size=spec["key_size"],
            value_size=spec["value_size"],
            flags=spec.get("flags", 0),
            hold=hold.get("name"),
            lease=seconds(hold.get("lease")),
            pin=arguments.get("pin_path"),
            create_parents=arguments.get("create_parents", False),
            reuse=arguments.get("reuse", False),
            elements=pairs(arguments.get("elements", [])),
            freeze=arguments.get("freeze", False),
        )
    )
    return {"created": made.created, **map_answer(await now(made.info()))}


@command
async def hold(runner: Runner, arguments: Answer) -> Answer:
    lease = seconds(arguments.get("lease"))
    return map_answer(await now(runner.map(arguments).hold(arguments["name"], lease)))


@command
async def release(runner: Runner, arguments: Answer) -> Answer:
    await now(runner.client.release(arguments["name"]))
    return {}


@command
async def keep_alive(runner: Runner, arguments: Answer) -> Answer:
    holds = await now(runner.client.keep_alive(*arguments["names"]))
    return {"holds": [hold_answer(each) for each in holds]}


@command
async def pin(runner: Runner, arguments: Answer) -> Answer:
    parents = arguments.get("create_parents", False)
    await now(runner.map(arguments).pin(arguments["path"], create_parents=parents))
    return {}


@command
async def unpin(runner: Runner, arguments: Answer) -> Answer:
    parents = arguments.get("remove_empty_parents", False)
    await now(runner.client.unpin(arguments["path"], remove_empty_parents=parents))
    return {}


@command
async def freeze(runner: Runner, arguments: Answer) -> Answer:
    await now(runner.map(arguments).freeze())
    return {}


@command
async def lookup(runner: Runner, arguments: Answer) -> Answer:
    values = await now(runner.view(arguments).get_many(unhex(arguments["keys"])))
    return {"values": [hex_or_none(value) for value in values]}


@command
async def update(runner: Runner, arguments: Answer) -> Answer:
    done = await now(
        runner.target(arguments).update_many(
            pairs(arguments["elements"]),
            on_error=on_error(arguments),
            **given(mode=arguments.get("mode")),
        )
    )
    return applied_answer(done)


def on_error(arguments: Answer) -> OnError:
    return OnError.CONTINUE if arguments.get("continue") else OnError.STOP


@command
async def delete(runner: Runner, arguments: Answer) -> Answer:
    keys = unhex(arguments["keys"])
    done = await now(runner.map(arguments).delete_many(keys, on_error=on_error(arguments)))
    return applied_answer(done)


@command
async def take(runner: Runner, arguments: Answer) -> Answer:
    values = await now(runner.map(arguments).take_many(unhex(arguments["keys"])))
    return {"values": [hex_or_none(value) for value in values]}


def pipelined(ref: proto.MapRef, call: Answer) -> proto.PipelineRequest:
    if "update" in call:
        elements = proto.Elements(
            count=len(call["update"]),
            keys=b"".join(key for key, _ in pairs(call["update"])),
            values=b"".join(value for _, value in pairs(call["update"])),
        )
        update = proto.UpdateElementsRequest(map=ref, elements=elements)
        return proto.PipelineRequest(update_elements=update)
    [(name, texts)] = call.items()
    keys: Any = {"map": ref, "count": len(texts), "keys": b"".join(unhex(texts))}
    if name == "lookup":
        return proto.PipelineRequest(lookup_elements=proto.LookupElementsRequest(**keys))
    if name == "take":
        return proto.PipelineRequest(take_elements=proto.TakeElementsRequest(**keys))
    return proto.PipelineRequest(delete_elements=proto.DeleteElementsRequest(**keys))


def pipeline_answer(answer: proto.PipelineResponse) -> Answer:
    kind = answer.WhichOneof("answer")
    if kind == "error":
        return {"reason": bpfmapd.BpfmapError.from_status(answer.error).reason}
    told: Any = getattr(answer, str(kind))
    if kind in ("update_elements", "delete_elements"):
        return {"applied": told.applied}
    values, count = told.elements.values, told.elements.count
    size = len(values) // count
    return {"values": [values[i * size : (i + 1) * size].hex() for i in range(count)]}


@command
async def pipeline(runner: Runner, arguments: Answer) -> Answer:
    info = await now(runner.map(arguments).info())
    ref = proto.MapRef(id=info.id)
    requests = [pipelined(ref, call) for call in arguments["calls"]]
    answers = await listed(runner.client.maps.Pipeline(iter(requests)))
    return {"answers": [pipeline_answer(answer) for answer in answers]}


@command
async def next_key(runner: Runner, arguments: Answer) -> Answer:
    key = arguments.get("key")
    found = await now(runner.map(arguments).next_key(None if key is None else bytes.fromhex(key)))
    return {"key": hex_or_none(found)}


@command
async def push(runner: Runner, arguments: Answer) -> Answer:
    overwrite = arguments.get("overwrite_oldest", False)
    values = unhex(arguments["values"])
    return {"applied": await now(runner.map(arguments).push(*values, overwrite_oldest=overwrite))}


@command
async def pop(runner: Runner, arguments: Answer) -> Answer:
    values = await now(runner.map(arguments).pop_many(arguments.get("max_count", 1)))
    return {"values": [value.hex() for value in values]}


@command
async def peek(runner: Runner, arguments: Answer) -> Answer:
    return {"value": hex_or_none(await now(runner.map(arguments).peek()))}


@command
async def may_contain(runner: Runner, arguments: Answer) -> Answer:
    value = bytes.fromhex(arguments["value"])
    return {"found": await now(runner.map(arguments).may_contain(value))}


@command
async def dump(runner: Runner, arguments: Answer) -> Answer:
    projection = Projection[arguments.get("projection", "KEYS_AND_VALUES")]
    made = runner.view(arguments).dump(
        filter_of(arguments),
        projection=projection,
        max_elements=arguments.get("max_elements", 0),
    )
    if projection is Projection.KEYS:
        elements = [[key.hex(), ""] for key in await listed(made.keys())]
    elif projection is Projection.VALUES:
        elements = [["", value.hex()] for value in await listed(made.values())]
    else:
        elements = [[key.hex(), value.hex()] for key, value in await listed(made)]
    return {"elements": elements, "complete": made.summary.complete, "sent": made.summary.sent}


@command
async def load(runner: Runner, arguments: Answer) -> Answer:
    done = await now(
        runner.target(arguments).load(
            pairs(arguments["elements"]),
            strategy="replace" if arguments.get("replace") else "merge",
            dry_run=arguments.get("dry_run", False),
        )
    )
    names = ("received", "written", "added", "changed", "unchanged", "removed")
    return {name: getattr(done, name) for name in names}


@command
async def clear(runner: Runner, arguments: Answer) -> Answer:
    return {"removed": await now(runner.map(arguments).clear())}


@command
async def get_schema(runner: Runner, arguments: Answer) -> Answer:
    schema = await now(runner.json_map(arguments).schema())
    return {"source": schema.source, "key": schema.key, "value": schema.value}


@command
async def update_json(runner: Runner, arguments: Answer) -> Answer:
    for key, value in arguments["elements"]:
        await now(runner.json_map(arguments).update(key, value))
    return {}


@command
async def lookup_json(runner: Runner, arguments: Answer) -> Answer:
    return {"value": await now(runner.json_map(arguments).get(arguments["key"]))}


@command
async def dump_json(runner: Runner, arguments: Answer) -> Answer:
    order = arguments.get("order")
    made = runner.json_map(arguments).dump(order=None if order is None else Order(**order))
    return {"elements": await listed(made)}


@command
async def read_memory(runner: Runner, arguments: Answer) -> Answer:
    offset, length = arguments["offset"], arguments["length"]
    return {"data": (await now(runner.map(arguments).read_memory(offset, length))).hex()}


@command
async def write_memory(runner: Runner, arguments: Answer) -> Answer:
    data = bytes.fromhex(arguments["data"])
    await now(runner.map(arguments).write_memory(arguments["offset"], data))
    return {}


@command
async def watch_start(runner: Runner, arguments: Answer) -> Answer:
    keys, prefix = arguments.get("keys"), arguments.get("key_prefix")
    token = arguments.get("resume_token")
    follow = arguments.get("follow", False)
    watch = runner.map(arguments).watch(
        WatchFilter(
            keys=None if keys is None else unhex(keys),
            key_prefix=None if prefix is None else bytes.fromhex(prefix),
        ),
        poll_interval=seconds(arguments.get("poll_interval")),
        bookmark_interval=seconds(arguments.get("bookmark_interval")),
        updates_only=arguments.get("updates_only", False),
        follow=follow,
        fidelity=WatchFidelity[arguments.get("fidelity", "LATEST")],
        resume_token=None if token is None else bytes.fromhex(token),
    )
    picture = Picture(follow)
    background = runner.background(watch, picture.apply)
    await now(background.start(after_first=True))
    runner.watches[arguments["watch"]] = (watch, picture, background)
    return {}


@command
async def watch_until(runner: Runner, arguments: Answer) -> Answer:
    _, picture, background = runner.watches[arguments["watch"]]
    wanted = sorted(arguments["elements"]) if "elements" in arguments else None
    gone = arguments.get("gone", False)

    def is_so() -> bool:
        return bool(
            (wanted is None or picture.elements() == wanted)
            and (picture.synced or not arguments.get("synced"))
            and picture.gone == gone
        )

    await now(background.until(is_so))
    return {"elements": picture.elements(), "resyncs": picture.resyncs, "gone": picture.gone}


@command
async def watch_stop(runner: Runner, arguments: Answer) -> Answer:
    watch, _, background = runner.watches.pop(arguments["watch"])
    await now(background.stop())
    return {"resume_token": hex_or_none(watch.resume_token)}


@command
async def records_start(runner: Runner, arguments: Answer) -> Answer:
    slot = arguments.get("slot")
    stream = runner.map(arguments).records(
        exclusive=True,
        from_now=arguments.get("from_now", False),
        queue_bytes=arguments.get("queue_bytes", 0),
        pages_per_cpu=arguments.get("pages_per_cpu", 0),
        slot=None if slot is None else (slot["cpu"], slot["index"]),
    )
    records: List[str] = []

    def apply(event: Any) -> None:
        if isinstance(event, bpfmapd.RecordEvent):
            records.append(event.data.hex())

    background = runner.background(stream, apply)
    await now(background.start(after_first=False))
    runner.recordings[arguments["stream"]] = (stream, records, background)
    return {}


@command
async def records_until(runner: Runner, arguments: Answer) -> Answer:
    stream, records, background = runner.recordings[arguments["stream"]]
    await now(background.until(lambda: len(records) + stream.lost >= arguments["count"]))
    return {"records": records, "lost": stream.lost}


@command
async def records_stop(runner: Runner, arguments: Answer) -> Answer:
    await now(runner.recordings.pop(arguments["stream"])[-1].stop())
    return {}


@command
async def write_records(runner: Runner, arguments: Answer) -> Answer:
    fail = arguments.get("fail_when_full", False)
    records = unhex(arguments["records"])
    return {"written": await now(runner.map(arguments).write_records(records, fail_when_full=fail))}


@command
async def together(runner: Runner, arguments: Answer) -> Answer:
    hits = runner.map(arguments)
    elements = pairs(arguments["elements"])

    def update_one(element: Any) -> Any:
        return hits.update(*element)

    def delete_one(element: Any) -> Any:
        return hits.delete(element[0])

    def get_one(element: Any) -> Any:
        return hits.get(element[0])

    async def each(call: Callable[[Any], Any]) -> List[Any]:
        """What became of all of them, in their order: a result or an error."""
        if runner.asynchronous:
            return await asyncio.gather(*map(call, elements), return_exceptions=True)
        with ThreadPoolExecutor(len(elements)) as threads:
            futures = [threads.submit(call, element) for element in elements]
        return [future.exception() or future.result() for future in futures]

    updated = await each(update_one)
    found = await each(get_one)
    deleted = await each(delete_one)
    return {
        "updated": sum(outcome is None for outcome in updated),
        "found": sum(isinstance(outcome, bytes) for outcome in found),
        "deleted": sum(outcome is True for outcome in deleted),
    }


def answer(made: Answer) -> None:
    sys.stdout.write(f"{json.dumps(made)}\n")
    sys.stdout.flush()


def finished(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("something of the synchronous face is awaitable")


def serve(address: str) -> None:
    runner = Runner(address, asynchronous=False)
    for line in sys.stdin:
        answer(finished(runner.do(line)))
    finished(runner.close())


async def serve_asynchronously(address: str) -> None:
    runner = Runner(address, asynchronous=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        answer(await runner.do(line))
    await runner.close()


if __name__ == "__main__":
    if sys.argv[1] == "--asyncio":
        asyncio.run(serve_asynchronously(sys.argv[2]))
    else:
        serve(sys.argv[1])
