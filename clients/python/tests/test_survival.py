"""Watches of both faces over ten restarts of the daemon, and over a network that drops packets:
no change is missing in the end, and no task, thread or socket is left.

BPFMAPD_DROP_SECONDS=60 drops packets for a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Dict, Iterator, Tuple

import grpc
import grpc.aio
import pytest
from conftest import leaks
from support.certificate import certificate
from support.daemon import Daemon
from support.mirror import Mirror, ThreadMirror
from support.network import Network

import bpfmapd
import bpfmapd.aio
from bpfmapd import Tls

POLL: Dict[str, Any] = {"poll_interval": 0.02, "bookmark_interval": 0.1}
DROP_SECONDS = float(os.environ.get("BPFMAPD_DROP_SECONDS", "3"))

Mirrors = Tuple[Mirror, ThreadMirror]


@contextlib.asynccontextmanager
async def mirrors_of(hold: str, address: str, **options: Any) -> AsyncIterator[Mirrors]:
    """A watch of each face, on a client of its own. Fails where something of them is left."""
    # grpc.aio has a thread of its own for as long as there is a channel, and asyncio one for
    # to_thread() for as long as there is a loop. This channel connects to nothing.
    kept = grpc.aio.insecure_channel("unix:/none")
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await asyncio.to_thread(lambda: None)
    tasks, left = asyncio.all_tasks(), leaks()
    async with bpfmapd.aio.connect(address, **options) as client:
        with bpfmapd.connect(address, **options) as other:
            mirror = Mirror(client.map(held=hold, key=int, value=int).watch(**POLL))
            threaded = ThreadMirror(other.map(held=hold, key=int, value=int).watch(**POLL))
            try:
                yield mirror, threaded
            finally:
                await asyncio.to_thread(threaded.stop)
                await mirror.stop()
    for _ in range(100):
        # Sockets of grpc.aio are closed by the loop.
        await asyncio.sleep(0.05)
        if asyncio.all_tasks() == tasks and not left():
            break
    assert asyncio.all_tasks() == tasks
    assert not left()
    await kept.close()


async def all_see(mirrors: Mirrors, wanted: Dict[int, int], longest: float = 50) -> None:
    mirror, threaded = mirrors
    await mirror.until(lambda: mirror.contents == wanted, longest)
    await asyncio.to_thread(threaded.until, lambda: threaded.contents == wanted, longest)


async def test_outlive_ten_restarts(own_daemon: Daemon, quick_reconnects: None) -> None:
    wanted: Dict[int, int] = {}
    # Not one of the clients whose watches are looked at.
    with bpfmapd.connect(own_daemon.address) as client:
        hits = client.create_map(
            "hash", 100, key=int, value=int, key_size=4, value_size=8, hold="restarted"
        )
        async with mirrors_of("restarted", own_daemon.address) as mirrors:
            for turn in range(10):
                hits[turn] = wanted[turn] = turn
                if turn > 2:
                    del hits[turn - 2], wanted[turn - 2]
                # Every other time the daemon ends before the watches have found it again.
                if turn % 2 == 0:
                    await all_see(mirrors, wanted)
                if turn % 4 < 2:
                    own_daemon.kill()
                await asyncio.to_thread(own_daemon.restart)
                await asyncio.to_thread(client.wait_for_ready, 30)
            hits[99] = wanted[99] = 99
            await all_see(mirrors, wanted)
            assert wanted == dict(hits.items())
            assert all(mirror.resyncs for mirror in mirrors)
        client.release("restarted")


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.remove()


@pytest.fixture
def distant(network: Network) -> Iterator[Daemon]:
    """A daemon that is reached over that network, by TLS."""
    made = Daemon()
    certificate(made.directory, "ca", "/CN=test authority", None)
    certificate(made.directory, "server", "/CN=maps.test", made.directory / "ca")
    certificate(made.directory, "client", "/CN=controller", made.directory / "ca")
    (made.directory / "policy.yaml").write_text(
        "version: 1\n"
        "unix_socket: trusted\n"
        "identities: {controllers: [{san: [controller]}]}\n"
        "rules: [{identities: [controllers], verbs: [list, watch], maps: all}]\n"
    )
    made.starter = tuple(network.starter)
    made.arguments = (
        *("--tcp", f"{network.address}:0"),
        *("--tls-cert", f"{made.directory}/server.pem"),
        *("--tls-key", f"{made.directory}/server.key"),
        *("--tls-client-ca", f"{made.directory}/ca.pem"),
        *("--policy", f"{made.directory}/policy.yaml"),
    )
    try:
        made.start()
        yield made
    finally:
        made.dispose()


async def test_outlive_dropped_packets(
    distant: Daemon, network: Network, quick_reconnects: None
) -> None:
    [serving] = [line for line in distant.logs if line.get("msg") == "serving"]
    found = re.search(rf"{re.escape(network.address)}:\d+", str(serving))
    assert found is not None
    files = distant.directory
    tls = Tls(
        ca=files / "ca.pem",
        cert=files / "client.pem",
        key=files / "client.key",
        server_name="maps.test",
    )
    wanted: Dict[int, int] = {1: 1, 2: 2}
    # By the unix socket, on which nothing is dropped.
    with bpfmapd.connect(distant.address) as client:
        hits = client.create_map(
            "hash", 100, key=int, value=int, key_size=4, value_size=8, hold="distant"
        )
        hits.update_many(wanted.items())
        async with mirrors_of("distant", found[0], tls=tls) as mirrors:
            await all_see(mirrors, wanted)
            with network.dropping():
                for key in range(10, 20):
                    hits[key] = wanted[key] = key
                    await asyncio.sleep(DROP_SECONDS / 10)
                del hits[1], wanted[1]
                assert all(10 not in mirror.contents for mirror in mirrors)
            hits[2] = wanted[2] = 22
            await all_see(mirrors, wanted, longest=50)
            assert wanted == dict(hits.items())
        client.release("distant")
