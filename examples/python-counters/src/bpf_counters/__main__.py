"""The command bpf-counters."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from typing import Optional

import bpfmapd
from bpfmapd.errors import DeadlineExceeded, NotFound, Unavailable
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bpf_counters.counters import Counters
from bpf_counters.output import CsvLog, table_of

# What a later reading may not meet again: the daemon restarts, or the program is replaced.
PASSING = (Unavailable, NotFound, DeadlineExceeded)


def parse(arguments: Optional[list[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="bpf-counters", description=__doc__)
    parser.add_argument("--address", default="unix:/run/bpfmapd/bpfmapd.sock")
    parser.add_argument("--pin", default="/sys/fs/bpf/ports/ports", help="the map's pin")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two readings")
    parser.add_argument("--rows", type=int, default=20, help="ports to show")
    parser.add_argument("--csv", help="a file that each reading is added to")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Reads and shows until it is interrupted."""
    with ExitStack() as stack:
        client = stack.enter_context(bpfmapd.connect(options.address))
        log = None
        if options.csv is not None:
            log = CsvLog(stack.enter_context(open(options.csv, "a", newline="", encoding="utf-8")))
        counters = Counters(client, options.pin)
        live = stack.enter_context(Live(console=Console(), auto_refresh=False))
        while True:
            try:
                rates = counters.rates()
            except PASSING as error:
                live.update(Text(f"waiting: {error}"), refresh=True)
            else:
                live.update(table_of(rates, options.rows), refresh=True)
                if log is not None:
                    log.write(rates)
            time.sleep(options.every)


def main() -> None:
    """Runs until Ctrl-C."""
    try:
        run(parse())
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
