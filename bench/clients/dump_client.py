"""Dumps a map into numpy columns and counts what came: dump-client in Python.

Arguments: ADDRESS MAP_ID. It is the other end of the harness' ClientProcess: Node's
channel to a child is a socket with one JSON value a line.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

import bpfmapd


def dump(elements: bpfmapd.Map[bytes, bytes]) -> dict[str, object]:
    """Seconds of a dump, and the elements that came."""
    start = time.perf_counter()
    columns = elements.columns()
    keys, values = columns.numpy_keys(), columns.numpy_values()
    seconds = time.perf_counter() - start
    assert len(keys) == len(values)
    return {"seconds": seconds, "elements": len(keys)}


def main() -> None:
    """Says that it is ready, then dumps at each question."""
    address, map_id = sys.argv[1:]
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    with channel, channel.makefile("rw") as lines, bpfmapd.connect(address) as client:
        client.wait_for_ready(10)
        elements = client.map(id=int(map_id), key=bytes, value=bytes)
        print(json.dumps("ready"), file=lines, flush=True)
        while lines.readline():
            print(json.dumps(dump(elements)), file=lines, flush=True)


if __name__ == "__main__":
    main()
