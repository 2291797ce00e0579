"""The counters of the program, read from its map."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Dict, List

import bpfmapd
from bpfmapd import be16, u8, u64


@dataclass(frozen=True)
class Port:
    """A key of the map: struct port of bpf/ports.bpf.c."""

    protocol: u8
    zero: u8
    number: be16


@dataclass
class Traffic:
    """A value of the map, added up over the CPUs: struct traffic of bpf/ports.bpf.c."""

    packets: u64
    bytes: u64


@dataclass
class Rate:
    """What came to a port, since the program counts and per second since the reading before."""

    port: Port
    total: Traffic
    packets_per_second: float
    bytes_per_second: float


class Counters:
    """Reads the map again and again, and makes rates of the differences."""

    def __init__(self, client: bpfmapd.Client, pin: str) -> None:
        """Takes the map by its pin, so a program that is loaded anew is followed."""
        # The host adds the CPUs up: a counter is 16 bytes on the wire, however many there are.
        self._map = client.map(pin=pin, key=Port, value=Traffic, fold="sum_u64")
        self._before: Dict[Port, Traffic] = {}
        self._at = 0.0

    def rates(self) -> List[Rate]:
        """Reads the map once. The rates of the first reading are 0."""
        now = dict(self._map.items())
        at = time.monotonic()
        seconds = at - self._at
        rates = [self._rate(port, total, seconds) for port, total in now.items()]
        self._before, self._at = now, at
        return rates

    def _rate(self, port: Port, total: Traffic, seconds: float) -> Rate:
        if not self._at:
            return Rate(port, total, 0, 0)
        before = self._before.get(port, Traffic(0, 0))
        # A port that the map had dropped, or another program's: it counts from zero again.
        if total.packets < before.packets:
            before = Traffic(0, 0)
        return Rate(
            port,
            total,
            (total.packets - before.packets) / seconds,
            (total.bytes - before.bytes) / seconds,
        )
