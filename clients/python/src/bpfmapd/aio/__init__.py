"""bpfmapd for asyncio.

import asyncio
import bpfmapd.aio

async def main():
    async with bpfmapd.aio.connect() as client:
        hits = client.map(held="hits", key=int, value=int)
        await hits.update(7, 42)
        async for event in hits.watch():
            print(event)

asyncio.run(main())
"""

from bpfmapd.aio.batcher import Batching
from bpfmapd.aio.client import Client, connect
from bpfmapd.aio.dump import Dump
from bpfmapd.aio.map import Map
from bpfmapd.aio.records import RecordStream
from bpfmapd.aio.watch import Watch

__all__ = ["Batching", "Client", "Dump", "Map", "RecordStream", "Watch", "connect"]
