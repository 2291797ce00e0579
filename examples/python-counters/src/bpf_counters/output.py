"""Rates as a table for a terminal, and as lines of CSV."""

from __future__ import annotations

import csv
import socket
from datetime import datetime, timezone
from typing import List, TextIO

from rich.filesize import decimal
from rich.table import Table

from bpf_counters.counters import Port, Rate

PROTOCOLS = {
    number: name[len("IPPROTO_") :].lower()
    for name, number in vars(socket).items()
    if name.startswith("IPPROTO_")
}
COLUMNS = ["time", "protocol", "port", "packets", "bytes", "packets_per_second", "bytes_per_second"]


def protocol_of(port: Port) -> str:
    """A protocol's name, or its number where it has none."""
    return PROTOCOLS.get(port.protocol, str(port.protocol))


def table_of(rates: List[Rate], rows: int) -> Table:
    """The busiest ports."""
    table = Table(title="Ports by bytes per second", title_justify="left")
    table.add_column("port")
    for heading in ("packets/s", "bytes/s", "packets", "bytes"):
        table.add_column(heading, justify="right")
    busiest = sorted(
        rates, key=lambda rate: (rate.bytes_per_second, rate.total.bytes), reverse=True
    )
    for rate in busiest[:rows]:
        table.add_row(
            f"{protocol_of(rate.port)} {rate.port.number}",
            f"{rate.packets_per_second:,.1f}",
            f"{decimal(round(rate.bytes_per_second))}/s",
            f"{rate.total.packets:,}",
            decimal(rate.total.bytes),
        )
    return table


class CsvLog:
    """Lines of CSV: one for each port at each reading."""

    def __init__(self, file: TextIO) -> None:
        """Begins with the heading, unless the file has lines already."""
        self._file = file
        self._writer = csv.writer(file)
        if not file.tell():
            self._writer.writerow(COLUMNS)

    def write(self, rates: List[Rate]) -> None:
        """Adds a reading."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        for rate in sorted(rates, key=lambda rate: (rate.port.protocol, rate.port.number)):
            self._writer.writerow(
                [
                    now,
                    protocol_of(rate.port),
                    rate.port.number,
                    rate.total.packets,
                    rate.total.bytes,
                    round(rate.packets_per_second, 1),
                    round(rate.bytes_per_second, 1),
                ]
            )
        self._file.flush()
