"""A way to a daemon's unix socket that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from functools import partial
from pathlib import Path
from typing import List


class Proxy:
    """Passes connections on to `target`, which may come and go."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._sockets: List[socket.socket] = []
        self._threads: List[threading.Thread] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._start(self._accept)

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    def cut(self) -> None:
        """Cuts every connection, without a goodbye."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._target))
            except OSError:
                near.close()
                far.close()
                continue
            self._sockets += [near, far]
            done = threading.Barrier(2, partial(_close, near, far))
            self._start(self._pass, near, far, done)
            self._start(self._pass, far, near, done)

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, done: threading.Barrier) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        done.wait()


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
