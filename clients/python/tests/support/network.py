"""A network of its own for a daemon, on which packets can be dropped."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from typing import Callable, Iterator, List

from support.bpf import drop_packets

_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """A network namespace, joined by a pair of interfaces."""

    def __init__(self) -> None:
        number = os.getpid()
        self.name = f"bpfmapd-py-{number}"
        self._near, self._far = f"pyn{number}"[:15], f"pyf{number}"[:15]
        subnet = f"10.213.{number >> 6 & 255}.{number << 2 & 252}"
        base, last = subnet.rsplit(".", 1)
        self.address = f"{base}.{int(last) + 2}"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._near, "type", "veth", "peer", self._far, "netns", self.name)
        _ip("addr", "add", f"{base}.{int(last) + 1}/30", "dev", self._near)
        _ip("link", "set", self._near, "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", self._far)
        _ip("-n", self.name, "link", "set", self._far, "up")

    @property
    def starter(self) -> List[str]:
        """What starts a command in the namespace."""
        return ["ip", "netns", "exec", self.name]

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Drops every packet, both ways: nobody is told, and nothing is closed."""
        links = [drop_packets(self._near), self._inside(lambda: drop_packets(self._far))]
        try:
            yield
        finally:
            for link in links:
                os.close(link)

    def remove(self) -> None:
        _ip("netns", "del", self.name)

    def _inside(self, work: Callable[[], int]) -> int:
        """Does it in the namespace, which a thread can enter for itself."""
        results: List[int] = []

        def run() -> None:
            space = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if _libc.setns(space, 0) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                results.append(work())
            finally:
                os.close(space)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return results[0]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
