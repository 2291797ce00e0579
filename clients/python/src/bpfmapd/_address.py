"""Addresses of daemons."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from bpfmapd.errors import BpfmapError, invalid

DEFAULT_ADDRESS = "unix:/run/bpfmapd/bpfmapd.sock"

_TCP = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[^\]]+)?\]|[^:\[\]/\s]+):(\d+)")


class Address(NamedTuple):
    """Where a daemon listens."""

    is_unix: bool
    target: str
    """In the form that grpc takes."""


def parse_address(address: str) -> Address:
    """Parses "unix:/path", "unix:///path", "host:port" or "[IPv6 address]:port"."""
    if address.startswith("unix:"):
        return _parse_unix(address)
    if address.startswith(("/", ".")):
        raise _malformed(address, f'for a unix socket write "unix:{address}"')
    match = _TCP.fullmatch(address)
    if match is None:
        raise _malformed(address, 'expected "unix:/path", "host:port" or "[IPv6 address]:port"')
    if not 1 <= int(match[1]) <= 65535:
        raise _malformed(address, "the port is not within 1 and 65535")
    # The scheme is spelled out because grpc would take a host called "unix" for one.
    return Address(False, f"dns:///{address}")


def _parse_unix(address: str) -> Address:
    path = address[len("unix:") :]
    if path.startswith("//"):
        path = path[2:]
        if not path.startswith("/"):
            raise _malformed(address, 'after "unix://" an absolute path must follow')
    if not path:
        raise _malformed(address, "the path is empty")
    return Address(True, f"unix:{os.path.abspath(path)}")


def _malformed(address: str, why: str) -> BpfmapError:
    return invalid(f'"{address}" is not an address of bpfmapd: {why}', "address")
