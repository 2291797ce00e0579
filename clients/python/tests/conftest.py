"""Fixtures: one daemon for all tests that do not harm it, and maps of each test's own."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import threading
from typing import Any, AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from support.daemon import Daemon, open_sockets

import bpfmapd
import bpfmapd.aio

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    shared = Daemon()
    try:
        shared.start()
        yield shared
    finally:
        shared.dispose()


@pytest.fixture
def own_daemon() -> Iterator[Daemon]:
    """A daemon that the test may stop and kill."""
    own = Daemon()
    try:
        own.start()
        yield own
    finally:
        own.dispose()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[bpfmapd.Client]:
    with bpfmapd.connect(daemon.address) as made:
        yield made


@pytest_asyncio.fixture
async def aio_client(daemon: Daemon) -> AsyncIterator[bpfmapd.aio.Client]:
    async with bpfmapd.aio.connect(daemon.address) as made:
        yield made


@pytest.fixture
def unique() -> str:
    """A name for a map that nobody else has."""
    return f"py{os.getpid()}_{next(_numbers)}"[:15]


class Maker:
    """Makes maps of a test; they go with it."""

    def __init__(self, client: bpfmapd.Client) -> None:
        self._client = client
        self._holds: list[str] = []

    def __call__(self, type: str = "hash", max_entries: int = 1000, **options: Any) -> Any:
        name = f"py{os.getpid()}_{next(_numbers)}"[:15]
        self._holds.append(name)
        return self._client.create_map(type, max_entries, name=name, hold=name, **options)

    def numbers(self, max_entries: int = 1000, type: str = "hash") -> bpfmapd.Map[int, int]:
        """A map from u32 to u64."""
        return self(type, max_entries, key=int, value=int, key_size=4, value_size=8)

    def release(self) -> None:
        for hold in self._holds:
            with contextlib.suppress(bpfmapd.NotFound):
                self._client.release(hold)


@pytest.fixture
def make(client: bpfmapd.Client) -> Iterator[Maker]:
    maker = Maker(client)
    yield maker
    maker.release()


@pytest.fixture
def quick_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches look again soon for a daemon that was restarted."""
    monkeypatch.setattr("bpfmapd._backoff._LONGEST_S", 0.3)


def leaks() -> Callable[[], str]:
    """Notes what there is now; what it returns tells which threads and sockets came since."""
    gc.collect()
    threads, sockets = set(threading.enumerate()), open_sockets()

    def left() -> str:
        gc.collect()
        extra, more = set(threading.enumerate()) - threads, open_sockets() - sockets
        return f"threads {extra}, {more} sockets" if extra or more > 0 else ""

    return left


@contextlib.contextmanager
def no_leaks() -> Iterator[None]:
    """Fails where there are more threads or sockets at the end than at the start."""
    left = leaks()
    yield
    for _ in range(100):
        if not left():
            return
        threading.Event().wait(0.05)
    pytest.fail(f"left: {left()}")
