import { type BpfmapClient, mapRef } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import { closeFd, mapCreate, mapInfo } from "#dist/kernel/index.js";
import type { Bench } from "../harness/bench.js";
import type { Growth } from "./growth.js";
import { median, type Point, type Series, series } from "./series.js";

const COUNTS = [100, 1000, 10_000];
const RUNS = 15;

/** Calls that look for maps, by how many the host has. */
export const hostMaps: Growth = {
  name: "host-maps",
  about: "lists and calls by id and by name, on a host with 100 to 10,000 maps",
  run: measure,
};

interface Work {
  name: string;
  run(client: BpfmapClient, ids: number[]): Promise<unknown>;
}

/** The map in the middle of those that there are, by the name that measure() gives it. */
const middle = (ids: number[]) => ids.length >> 1;

const works: Work[] = [
  { name: "ListMaps, a page of 100", run: ({ maps }) => maps.listMaps({ pageSize: 100 }) },
  { name: "ListMaps, all", run: ({ maps }) => maps.listMaps({ pageSize: 10_000 }) },
  {
    name: "GetMap by id",
    run: ({ maps }, ids) => maps.getMap({ map: mapRef({ id: ids[middle(ids)]! }) }),
  },
  {
    name: "GetMap by name",
    run: ({ maps }, ids) => maps.getMap({ map: mapRef({ name: `grow_${middle(ids)}` }) }),
  },
];

async function measure(bench: Bench): Promise<Series[]> {
  const fds: number[] = [];
  const ids: number[] = [];
  const times = works.map((): Point[] => []);
  const peaks: Point[] = [];
  try {
    for (const count of COUNTS) {
      while (fds.length < count) {
        const name = `grow_${fds.length}`;
        const sizes = { keySize: 4, valueSize: 4, maxEntries: 1 };
        const fd = mapCreate({ type: MapType.ARRAY, name, ...sizes });
        fds.push(fd);
        ids.push(mapInfo(fd).id);
      }
      const daemon = await bench.startDaemon();
      try {
        for (const [i, { name, run }] of works.entries()) {
          const taken = await timed(() => run(daemon.client, ids));
          times[i]?.push([count, taken]);
          console.error(`  ${name}, ${count} maps: ${taken} s`);
        }
        peaks.push([count, await daemon.peakMiB()]);
      } finally {
        await bench.stopDaemon(daemon);
      }
    }
  } finally {
    for (const fd of fds) closeFd(fd);
  }
  const cause = "maps on the host";
  return [
    ...works.map(({ name }, i) => series({ name, cause, cost: "seconds" }, times[i] ?? [])),
    series({ name: "all of these calls", cause, cost: "MiB" }, peaks),
  ];
}

/** The median, without the first, for which nothing is compiled. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const start = performance.now();
    await call();
    if (run > 0) taken.push((performance.now() - start) / 1000);
  }
  return median(taken);
}
