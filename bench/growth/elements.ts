import { goDump } from "../cases/go-dump.js";
import { goLoad } from "../cases/loaders.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { batchDump, batchLoad } from "../peers/c-loop.js";
import type { Growth } from "./growth.js";
import { median, type Point, type Series, series } from "./series.js";

const COUNTS = [1000, 10_000, 100_000, 1_000_000, 4_000_000];
const VALUE_SIZES = [8, 64, 512, 4096, 32_768];
const RUNS = 3;

/** Dumps and loads of maps that become larger, by their elements and by the size of these. */
export const elementGrowths: Growth[] = [
  ...[h48, h1664].map((shape) => ({
    name: `elements-${shape.name}`,
    about: `dumps and loads of 1 k to 4 M elements, ${shape.keySize}+${shape.valueSize} bytes`,
    run: (bench: Bench) => measure(bench, byCount(shape)),
  })),
  {
    name: "element-size",
    about: "dumps and loads of 2,000 elements of 8 bytes to 32 KiB",
    run: (bench) => measure(bench, bySize()),
  },
];

async function measure(bench: Bench, sizes: Sizes): Promise<Series[]> {
  return [
    ...(await growth(bench, "dump", dump, sizes)),
    ...(await growth(bench, "load", load, sizes)),
    await growthInC(bench, "dump, C loop", batchDump, sizes),
    await growthInC(bench, "load, C loop", batchLoad, sizes),
  ];
}

/** The maps to work on, by the cause. */
interface Sizes {
  cause: string;
  maps: { cause: number; shape: MapKind; count: number }[];
}

function byCount(shape: MapKind): Sizes {
  const cause = `elements, ${shape.keySize}+${shape.valueSize}`;
  return { cause, maps: COUNTS.map((count) => ({ cause: count, shape, count })) };
}

function bySize(): Sizes {
  const maps = VALUE_SIZES.map((valueSize) => ({
    ...{ cause: valueSize, count: 2000 },
    shape: { ...h48, name: `h4-${valueSize}`, valueSize },
  }));
  return { cause: "bytes of a value", maps };
}

/** What work takes a daemon that has done nothing else. */
type Work = (client: ClientProcess, map: BenchMap) => Promise<number[]>;

async function growth(
  bench: Bench,
  name: string,
  work: Work,
  { cause, maps }: Sizes,
): Promise<Series[]> {
  const times: Point[] = [];
  const peaks: Point[] = [];
  for (const { cause: size, shape, count } of maps) {
    const map = await bench.fullMap(shape, count);
    const daemon = await bench.startDaemon();
    const client = await ClientProcess.startGo(daemon);
    try {
      times.push([size, median(await work(client, map))]);
      peaks.push([size, await daemon.peakMiB()]);
    } finally {
      await client.stop();
      await bench.stopDaemon(daemon);
    }
    console.error(`  ${name}, ${size}: ${times.at(-1)?.[1]} s, ${peaks.at(-1)?.[1]} MiB`);
  }
  return [
    series({ name, cause, cost: "seconds" }, times),
    series({ name, cause, cost: "MiB" }, peaks),
  ];
}

/** What the kernel itself takes: where that is worse than linear, so is the daemon. */
async function growthInC(
  bench: Bench,
  name: string,
  work: (map: BenchMap) => Promise<number>,
  { cause, maps }: Sizes,
): Promise<Series> {
  const times: Point[] = [];
  for (const { cause: size, shape, count } of maps) {
    const map = await bench.fullMap(shape, count);
    const taken: number[] = [];
    for (let run = 0; run < RUNS; run++) taken.push(await work(map));
    times.push([size, median(taken)]);
  }
  return series({ name, cause, cost: "seconds" }, times);
}

async function dump(client: ClientProcess, map: BenchMap): Promise<number[]> {
  const times = Math.max(1, Math.min(50, Math.round(100_000 / map.elements)));
  const runs: number[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await goDump(client, map, { times }));
  return runs;
}

/** Overwrites what is there: a map with all its room taken is the slower one to write. */
async function load(client: ClientProcess, map: BenchMap): Promise<number[]> {
  const runs: number[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await goLoad(client, map));
  return runs;
}
