"""A map beside a dict, through random operations of both faces."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Optional

import hypothesis.strategies as st
import pytest
from conftest import Maker
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from support.daemon import Daemon

import bpfmapd
import bpfmapd.aio

ROOM = 6
KEYS = st.integers(0, 9)
VALUES = st.integers(0, 2**64 - 1)


class Sync:
    """The synchronous face."""

    def __init__(self, hits: bpfmapd.Map[int, int]) -> None:
        self.hits = hits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hits, name)

    def pairs(self) -> Dict[int, int]:
        return dict(self.hits.items())


class Async:
    """The asynchronous face, a loop turned by hand."""

    def __init__(self, hits: bpfmapd.aio.Map[int, int], loop: asyncio.AbstractEventLoop) -> None:
        self.hits = hits
        self.loop = loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.hits, name)
        return lambda *given, **named: self.loop.run_until_complete(method(*given, **named))

    def pairs(self) -> Dict[int, int]:
        async def read() -> Dict[int, int]:
            return {key: value async for key, value in self.hits}

        return self.loop.run_until_complete(read())


class Model(RuleBasedStateMachine):
    hits: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.hits.clear()
        self.model: Dict[int, int] = {}

    def _write(self, key: int, value: int) -> Optional[type]:
        if key not in self.model and len(self.model) == ROOM:
            return bpfmapd.MapFull
        self.model[key] = value
        return None

    @rule(key=KEYS, value=VALUES, mode=st.sampled_from(["any", "noexist", "exist"]))
    def update(self, key: int, value: int, mode: str) -> None:
        error: Optional[type] = None
        if mode == "noexist" and key in self.model:
            error = bpfmapd.KeyExists
        elif mode == "exist" and key not in self.model:
            error = bpfmapd.KeyNotFound
        else:
            error = self._write(key, value)
        if error is None:
            self.hits.update(key, value, mode=mode)
        else:
            with pytest.raises(error):
                self.hits.update(key, value, mode=mode)

    @rule(pairs=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=8))
    def update_many(self, pairs: List[Any]) -> None:
        refused = [
            index for index, (key, value) in enumerate(pairs) if self._write(key, value) is not None
        ]
        result = self.hits.update_many(pairs, on_error="continue")
        assert [failure.index for failure in result.failures] == refused
        assert result.applied == len(pairs) - len(refused)

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        assert self.hits.delete(key) == (self.model.pop(key, None) is not None)

    @rule(keys=st.lists(KEYS, max_size=5))
    def delete_many(self, keys: List[int]) -> None:
        missing = [i for i, key in enumerate(keys) if self.model.pop(key, None) is None]
        assert [failure.index for failure in self.hits.delete_many(keys).failures] == missing

    @rule(key=KEYS)
    def take(self, key: int) -> None:
        assert self.hits.take(key) == self.model.pop(key, None)

    @rule(keys=st.lists(KEYS, max_size=5))
    def get_many(self, keys: List[int]) -> None:
        assert self.hits.get_many(keys) == [self.model.get(key) for key in keys]

    @rule(model=st.dictionaries(KEYS, VALUES, max_size=ROOM))
    def replace(self, model: Dict[int, int]) -> None:
        result = self.hits.load(model.items(), strategy="replace")
        assert result.removed == len(self.model.keys() - model.keys())
        assert result.added == len(model.keys() - self.model.keys())
        self.model = dict(model)

    @invariant()
    def same(self) -> None:
        assert self.hits.pairs() == self.model


def run(hits: Any) -> None:
    run_state_machine_as_test(
        type("OneModel", (Model,), {"hits": hits}),
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_behaves_like_a_dict(make: Maker) -> None:
    run(Sync(make.numbers(max_entries=ROOM)))


def test_of_asyncio_behaves_like_a_dict(daemon: Daemon, make: Maker) -> None:
    held = make.numbers(max_entries=ROOM).ref.held
    loop = asyncio.new_event_loop()
    try:
        client = bpfmapd.aio.connect(daemon.address)
        run(Async(client.map(held=held, key=int, value=int), loop))
        loop.run_until_complete(client.close())
    finally:
        loop.close()
