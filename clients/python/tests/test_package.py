"""What the package is beside others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

THIRD_PARTY = Path(__file__).resolve().parents[3] / "third_party" / "proto"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Code for buf.validate as its users generate it: a top-level package buf."""
    pytest.importorskip("grpc_tools")
    target = tmp_path_factory.mktemp("theirs")
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={THIRD_PARTY}"),
            *(f"--python_out={target}", "buf/validate/validate.proto"),
        ],
        check=True,
    )
    return target


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("module", ["google.rpc.error_details_pb2", "buf.validate.validate_pb2"])
def test_lives_beside_others_of_the_same_protos(module: str, first: bool, theirs: Path) -> None:
    """The descriptor pool is one for the process, so each order gets a process of its own."""
    if module.startswith("google."):
        pytest.importorskip(module)
    imports = ["import bpfmapd.aio, bpfmapd.proto", f"import {module}"]
    program = "; ".join(imports if first else reversed(imports))
    environment = {**os.environ, "PYTHONPATH": str(theirs)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_reads_error_details_beside_googles() -> None:
    pytest.importorskip("google.rpc.error_details_pb2")
    program = """
import google.rpc.error_details_pb2 as theirs
import google.rpc.status_pb2 as status
from bpfmapd import errors

made = status.Status(code=5)
made.details.add().Pack(
    theirs.ErrorInfo(reason="MAP_FULL", domain="bpfmapd", metadata={"map": "7"})
)
error = errors.BpfmapError.from_status(made.SerializeToString())
assert error.reason == "MAP_FULL" and error.metadata["map"] == "7"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_registers_no_file_of_others() -> None:
    program = """
import bpfmapd.aio, bpfmapd.proto, sys
from google.protobuf import descriptor_pool
for name in ("google/rpc/status.proto", "buf/validate/validate.proto", "bpfmap/v1/map.proto"):
    try:
        descriptor_pool.Default().FindFileByName(name)
    except KeyError:
        continue
    raise SystemExit(name)
assert not [name for name in sys.modules if name.split(".")[0] in ("buf", "bpfmap", "numpy")]
assert "google.rpc" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_types_follow_the_codecs(tmp_path: Path) -> None:
    """What a user's own mypy sees."""
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(
        """
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import List, Optional, Tuple
import bpfmapd
import bpfmapd.aio
from bpfmapd import PerCpu, Put, u32, u64
from typing_extensions import assert_type

@dataclass
class Stats:
    packets: u64
    kind: u32

def sync(client: bpfmapd.Client) -> None:
    hits = client.map(pin="/x", key=int, value=Stats)
    assert_type(hits, bpfmapd.Map[int, Stats])
    assert_type(hits[1], Stats)
    assert_type(hits.get(1), Optional[Stats])
    assert_type(hits.get(1, "none"), "Stats | str")
    assert_type(client.map(id=1), bpfmapd.Map[bytes, bytes])
    assert_type(client.map(id=1, value=int), bpfmapd.Map[bytes, int])
    assert_type(client.map(id=1, key=IPv4Network), bpfmapd.Map[IPv4Network, bytes])
    counters = client.map(id=1, key=int, value=PerCpu(int))
    assert_type(counters[1], List[int])
    made = client.create_map("hash", 5, key=int, value=Stats, key_size=4, hold="h")
    assert_type(made, bpfmapd.Map[int, Stats])
    for key, value in made:
        assert_type((key, value), Tuple[int, Stats])
    for event in made.watch():
        if isinstance(event, Put):
            assert_type(event.value, Optional[Stats])
    anything = client.map(id=1, key="IH", value="Q")
    anything[(1, 2)] = 3
    hits[1] = 5  # type: ignore[assignment]
    client.map(id=1, no_such_argument=1)  # type: ignore[call-overload]

async def asynchronous(client: bpfmapd.aio.Client) -> None:
    hits = await client.create_map("hash", 5, key=int, value=Stats, key_size=4, hold="h")
    assert_type(await hits[1], Stats)
    async for key, value in hits:
        assert_type((key, value), Tuple[int, Stats])
""",
        encoding="utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
