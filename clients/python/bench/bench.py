"""Measures the Python client beside a daemon of its own; nothing is asserted.

- 64 tasks that update single elements, with and without automatic batching;
- dumps of a large map: into numpy columns, and as pairs.

Usage, as root and after `make build`: python bench/bench.py [ELEMENTS]
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio

CALLERS = 64
UPDATES = 100
ROUNDS = 5


async def updates_per_second(address: str, batching: Optional[bpfmapd.aio.Batching]) -> float:
    async with bpfmapd.aio.connect(address, batching=batching) as client:
        hits = client.map(held="bench", key="I", value="Q")

        async def caller(number: int) -> None:
            for turn in range(UPDATES):
                await hits.update(number, turn)

        await hits.update(0, 0)
        best = 0.0
        for _ in range(ROUNDS):
            start = time.perf_counter()
            await asyncio.gather(*(caller(number) for number in range(CALLERS)))
            best = max(best, CALLERS * UPDATES / (time.perf_counter() - start))
        return best


async def sequential_latency(address: str, batching: Optional[bpfmapd.aio.Batching]) -> float:
    async with bpfmapd.aio.connect(address, batching=batching) as client:
        hits = client.map(held="bench", key="I", value="Q")
        await hits.update(0, 0)
        best = float("inf")
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(200):
                await hits[0]
            best = min(best, (time.perf_counter() - start) / 200)
        return best


def fastest(work: Callable[[], object]) -> float:
    times: List[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_dumps(client: bpfmapd.Client, elements: int) -> None:
    big = client.create_map(
        "hash", elements, name="bench_big", key="16s", value="8Q", hold="bench_big"
    )
    try:
        rows = ((index.to_bytes(16, "little"), (index,) * 8) for index in range(elements))
        start = time.perf_counter()
        big.load(rows)
        print(f"load of tuples: {elements / (time.perf_counter() - start):,.0f} elements/s")

        def chunks() -> None:
            for _ in big.dump().chunks():
                pass

        async def asynchronous() -> None:
            async with bpfmapd.aio.connect(client.address) as other:
                await other.map(held="bench_big", key="16s", value="8Q").columns()

        def pairs() -> None:
            for _ in big:
                pass

        def numpy() -> None:
            columns = big.columns()
            assert len(columns.numpy_keys()) == len(columns.numpy_values()) == elements

        works: Dict[str, Callable[[], object]] = {
            "chunks": chunks,
            "numpy columns": numpy,
            "numpy columns, asyncio": lambda: asyncio.run(asynchronous()),
            "pairs of bytes and tuples": pairs,
        }
        for name, work in works.items():
            seconds = fastest(work)
            print(
                f"dump, {name}: {seconds * 1000:,.0f} ms, {elements / seconds:,.0f} elements/s, "
                f"{elements * 80 / seconds / 1e6:,.0f} MB/s"
            )
    finally:
        client.release("bench_big")


def main() -> None:
    elements = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    daemon = Daemon()
    try:
        daemon.start()
        with bpfmapd.connect(daemon.address) as client:
            client.create_map("hash", 1024, name="bench", key="I", value="Q", hold="bench")
            # A daemon that has just started is slower.
            asyncio.run(sequential_latency(daemon.address, None))
            for name, batching in (("batching", bpfmapd.aio.Batching()), ("none", None)):
                rate = asyncio.run(updates_per_second(daemon.address, batching))
                print(f"{CALLERS} callers, {name}: {rate:,.0f} updates/s")
                latency = asyncio.run(sequential_latency(daemon.address, batching))
                print(f"one caller, {name}: {latency * 1e6:,.0f} us a lookup")
            client.release("bench")
            measure_dumps(client, elements)
    finally:
        daemon.dispose()


if __name__ == "__main__":
    main()
