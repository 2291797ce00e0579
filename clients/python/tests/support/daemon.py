"""A daemon of its own for tests, on a private socket and a private bpffs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[4]
MAIN = ROOT / "dist" / "daemon" / "main.js"


class Daemon:
    """`bpfmapd serve`, as test/support/daemon.ts starts it for the tests in TypeScript."""

    def __init__(self) -> None:
        if not MAIN.exists():
            raise RuntimeError(f"{MAIN} is not there: run `make build` first")
        self.directory = Path(tempfile.mkdtemp(prefix="bpfmapd-py-"))
        self.socket = self.directory / "run" / "bpfmapd.sock"
        self.bpffs = self.directory / "bpffs"
        self.logs: List[Dict[str, Any]] = []
        # Further arguments of `bpfmapd serve`.
        self.arguments: Tuple[str, ...] = ()
        # What starts it, such as a command that enters a network namespace.
        self.starter: Tuple[str, ...] = ()
        self._process: Optional[subprocess.Popen[str]] = None
        self.bpffs.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", self.bpffs], check=True)

    @property
    def address(self) -> str:
        return f"unix:{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                # The daemon goes with the test's process, however that ends.
                *("setpriv", "--pdeathsig", "KILL", *self.starter, "node", str(MAIN)),
                *("--socket", str(self.socket), "--bpffs-root", str(self.bpffs)),
                *("--log-level", "warn", *self.arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"msg": line.strip()}
            self.logs.append(entry)
            if entry.get("msg") == "serving":
                return
        raise RuntimeError(f"the daemon did not start; its log: {self.logs}")

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        # What it writes is read until it ends, so that it does not wait for a reader.
        process.communicate(timeout=30)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def dispose(self) -> None:
        try:
            self.stop()
        finally:
            subprocess.run(["umount", "-l", self.bpffs])
            shutil.rmtree(self.directory, ignore_errors=True)


def open_sockets() -> int:
    """Sockets that this process has open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return count
