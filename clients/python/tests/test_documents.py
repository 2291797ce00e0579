"""The README's programs, as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.readme import BESIDE_OTHERS

AT_DEFAULT_ADDRESS = Path(__file__).resolve().parent.parent / "scripts" / "at-default-address.sh"


@pytest.mark.parametrize("block", BESIDE_OTHERS, ids=range(len(BESIDE_OTHERS)))
def test_readme_runs_as_it_stands(block: str, daemon: Daemon, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block, encoding="utf-8")
    ran = subprocess.run(
        [AT_DEFAULT_ADDRESS, daemon.socket.parent, sys.executable, "-W", "error", program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
    assert not ran.stderr
