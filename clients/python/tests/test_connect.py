"""Connecting: addresses, TLS, tokens, deadlines."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Iterator, List

import grpc
import pytest
from conftest import Maker
from support.canned import canned
from support.certificate import certificate
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio
from bpfmapd import Tls, errors, proto


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"address": "/run/x.sock"}, 'write "unix:/run/x.sock"'),
        ({"address": "unix:"}, "the path is empty"),
        ({"address": "unix://x"}, "absolute path"),
        ({"address": "host"}, "expected"),
        ({"address": "host:0"}, "the port"),
        ({"address": "host:1"}, "give tls, or plaintext=True"),
        ({"address": "host:1", "plaintext": True, "tls": Tls()}, "exclude each other"),
        ({"address": "unix:/x", "tls": Tls()}, "TCP addresses only"),
        ({"address": "host:1", "plaintext": True, "token": "t"}, "not sent over plaintext"),
        ({"address": "host:1", "tls": Tls(cert=b"x")}, "both cert and key"),
        ({"timeout": 0}, "above 0 seconds"),
    ],
)
def test_refuses_what_contradicts_itself(options: Any, why: str) -> None:
    with pytest.raises(bpfmapd.InvalidArgument, match=why):
        bpfmapd.connect(**options)
    with pytest.raises(bpfmapd.InvalidArgument, match=why):
        bpfmapd.aio.connect(**options)


@pytest.mark.parametrize(
    "reference", [{}, {"id": 1, "name": "x"}, {"id": "one"}, {"id": -1}, {"held": 5}]
)
def test_refuses_what_names_no_map(reference: Any) -> None:
    with bpfmapd.connect() as client, pytest.raises(bpfmapd.InvalidArgument):
        client.map(**reference)


def test_says_that_nobody_answers(tmp_path: Path) -> None:
    with bpfmapd.connect(f"unix:{tmp_path}/none") as client:
        with pytest.raises(ConnectionError, match="no answer from bpfmapd at unix:"):
            client.host_info()
        with pytest.raises(bpfmapd.Unavailable, match="no connection"):
            client.wait_for_ready(0.2)


async def test_of_asyncio_says_that_nobody_answers(tmp_path: Path) -> None:
    async with bpfmapd.aio.connect(f"unix:{tmp_path}/none") as client:
        with pytest.raises(ConnectionError, match="no answer from bpfmapd at unix:"):
            await client.host_info()
        with pytest.raises(bpfmapd.Unavailable, match="no connection"):
            await client.wait_for_ready(0.2)


async def test_sends_the_token_with_each_call(tmp_path: Path) -> None:
    seen: List[str] = []

    def note(request: bytes, context: grpc.ServicerContext) -> Any:
        seen.append(str(dict(context.invocation_metadata()).get("authorization")))
        return proto.GetHostResponse(host=proto.Host(hostname="canned"))

    tokens = iter(["one", "two"])
    with canned(tmp_path / "s", unary={"GetHost": note}) as address:
        with bpfmapd.connect(address, token=lambda: next(tokens)) as client:
            assert client.host_info().hostname == "canned"
            client.host_info()
        async with bpfmapd.aio.connect(address, token="three") as aio_client:  # noqa: S106
            await aio_client.host_info()
    assert seen == ["Bearer one", "Bearer two", "Bearer three"]


async def test_ends_calls_at_their_deadline(tmp_path: Path) -> None:
    def slow(request: bytes, context: grpc.ServicerContext) -> Any:
        time.sleep(0.5)
        return proto.GetHostResponse()

    with canned(tmp_path / "s", unary={"GetHost": slow}) as address:
        with bpfmapd.connect(address, timeout=0.1) as client:
            with pytest.raises(errors.DeadlineExceeded):
                client.host_info()
            client.host_info(timeout=30)
        async with bpfmapd.aio.connect(address) as aio_client:
            with pytest.raises(errors.DeadlineExceeded):
                await aio_client.host_info(timeout=0.1)


@pytest.fixture
def secure() -> Iterator[Daemon]:
    """A daemon that asks for client certificates, on TCP."""
    made = Daemon()
    authority = made.directory / "ca"
    certificate(made.directory, "ca", "/CN=test authority", None)
    certificate(made.directory, "server", "/CN=maps.test", authority)
    certificate(made.directory, "client", "/CN=controller", authority)
    config = made.directory / "config.yaml"
    config.write_text(
        "listen:\n  tcp:\n    - address: 127.0.0.1:0\n      tls:\n"
        f"        cert: {made.directory}/server.pem\n"
        f"        key: {made.directory}/server.key\n"
        f"        client_ca: {made.directory}/ca.pem\n"
        f"access:\n  policy: {made.directory}/policy.yaml\n"
    )
    (made.directory / "policy.yaml").write_text(
        "version: 1\n"
        "identities: {controllers: [{san: [controller]}]}\n"
        "rules: [{identities: [controllers], verbs: all, maps: all}]\n"
    )
    made.arguments = ("--config", str(config))
    try:
        made.start()
        yield made
    finally:
        made.dispose()


async def test_reaches_a_daemon_that_asks_for_certificates(secure: Daemon) -> None:
    [serving] = [line for line in secure.logs if line.get("msg") == "serving"]
    found = re.search(r"127\.0\.0\.1:\d+", str(serving))
    assert found is not None
    address, files = found[0], secure.directory
    tls = Tls(
        ca=files / "ca.pem",
        cert=(files / "client.pem").read_bytes(),
        key=str(files / "client.key"),
        server_name="maps.test",
    )
    with bpfmapd.connect(address, tls=tls, token="t") as client:  # noqa: S106
        assert client.host_info().possible_cpus
    async with bpfmapd.aio.connect(address, tls=tls) as aio_client:
        assert (await aio_client.host_info()).possible_cpus
    without = Tls(ca=files / "ca.pem", server_name="maps.test")
    with bpfmapd.connect(address, tls=without) as client, pytest.raises(bpfmapd.Unavailable):
        client.host_info()


def test_lists_maps_in_pages(client: bpfmapd.Client, make: Maker) -> None:
    made = [make.numbers() for _ in range(3)]
    ids = {each.info().id for each in made}
    listed = list(client.list_maps(name="py*", types=["hash"], held=True))
    assert ids <= {info.id for info in listed}
    assert all(info.type is bpfmapd.MapType.HASH for info in listed)


def test_keeps_maps_by_pin_and_lease(client: bpfmapd.Client, daemon: Daemon, unique: str) -> None:
    path = f"{daemon.bpffs}/deep/{unique}"
    made = client.create_map(
        "hash", 5, key="I", value="I", hold=unique, lease=60, pin=path, create_parents=True
    )
    [hold] = client.keep_alive(unique)
    assert hold.lease is not None
    assert hold.lease.total_seconds() == 60
    assert made.info(pins=True).pins == (path,)
    client.release(unique)
    with pytest.raises(errors.HoldNotFound):
        made.info()
    pinned = client.map(pin=path, key="I", value="I")
    pinned[1] = 2
    assert pinned.hold(unique).holds[0].lease is None
    client.unpin(path, remove_empty_parents=True)
    assert client.map(held=unique).count().count == 1
    client.release(unique)
