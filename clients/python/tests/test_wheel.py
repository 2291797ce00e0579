"""Wheel and sdist, as somebody else installs them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import List

import pytest
from support.daemon import Daemon
from support.readme import ALONE, CAN_PACK

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "check-wheel.sh"

NOTHING_ELSE = """
import importlib.util

for name in ("numpy", "pandas", "buf", "bpfmap", "google.rpc"):
    assert importlib.util.find_spec(name) is None, name
print("alone")
"""


def test_run_the_readme_alone_in_new_environments(daemon: Daemon, tmp_path: Path) -> None:
    if not CAN_PACK:
        pytest.skip("they are packed with the tools of clients/python/.venv")
    programs: List[Path] = []
    for index, text in enumerate([NOTHING_ELSE, *ALONE]):
        programs.append(tmp_path / f"program{index}.py")
        programs[-1].write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [SCRIPT, daemon.socket.parent, *programs], capture_output=True, text=True, timeout=500
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("bpfmapd 0.")] == ["whl", "gz"]
    assert lines.count("alone") == 2
    # What the README's programs print, the same with both.
    first, second = lines.index("alone"), len(lines) - lines[::-1].index("alone") - 1
    assert len(programs) > 8
    assert second - first > len(programs)
