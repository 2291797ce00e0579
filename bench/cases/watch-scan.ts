import { setTimeout as sleep } from "node:timers/promises";
import { mapRef } from "@bpfmapd/client";
import { WatchStart } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ArrayAnswer } from "../clients/array-client.js";
import type { ScanAnswer } from "../clients/scan-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import { cpuShare } from "../harness/cpu-share.js";
import type { Daemon } from "../harness/daemon.js";
import { h48, h1664 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { amount, boundRow, type Row, row } from "../harness/row.js";
import { batchDumpCost, type Cost } from "../peers/c-loop.js";
import type { Case } from "./case.js";

const ELEMENTS = 1_000_000;

/** What it costs to see that nothing has changed in a million elements. */
export const watchScanCases: Case[] = [
  ...[h48, h1664].map((shape) => ({
    name: `watch-scan-${shape.name}`,
    about: `scan of a watched, unchanged hash map of 1 M elements, ${shape.keySize}+${shape.valueSize} bytes`,
    run: async (bench: Bench) => compareScans(bench, await bench.fullMap(shape, ELEMENTS)),
  })),
  {
    name: "watch-mmap-scan",
    about: "scan of an unchanged BPF_F_MMAPABLE array of 1 M elements, 4+8 bytes",
    run: measureArray,
  },
];

const SCANS = 2;

/** A watch may cost a quarter more than the kernel's own walk, in time and in CPU time. */
async function compareScans(bench: Bench, map: BenchMap): Promise<Row[]> {
  const client = await ClientProcess.start("scan-client", [bench.daemon.address, `${map.id}`]);
  try {
    const [scans = [], loops = []] = await alternate(
      [
        { name: "scan of a watched map", run: () => scan(bench.daemon, client) },
        { name: "C loop of LOOKUP_BATCH", run: () => batchDumpCost(map) },
      ],
      7,
      ({ seconds, cpuSeconds }) =>
        `${amount(seconds, "seconds")}, of a CPU ${amount(cpuSeconds, "seconds")}`,
    );
    const question = { meaning: "subject / peer", unit: "seconds" } as const;
    return (["seconds", "cpuSeconds"] as const).map((which) => {
      const what = which === "seconds" ? "best of 2" : "CPU time";
      return row(
        { case: `watch-scan-${map.shape.name}`, ...question },
        {
          name: `scan of a watched map, ${what} (bound 1.25)`,
          amounts: scans.map((one) => one[which]),
        },
        { name: `C loop of LOOKUP_BATCH, ${what}`, amounts: loops.map((one) => one[which]) },
      );
    });
  } finally {
    await client.stop();
  }
}

async function scan(daemon: Daemon, client: ClientProcess): Promise<Cost> {
  const before = await daemon.cpuSeconds();
  const { seconds } = await client.ask<ScanAnswer>({ scans: SCANS });
  return { seconds, cpuSeconds: ((await daemon.cpuSeconds()) - before) / SCANS };
}

const SCAN_BOUND_SECONDS = 0.003;

async function measureArray(bench: Bench): Promise<Row[]> {
  const client = await ClientProcess.start("array-client", ["8", `${ELEMENTS}`]);
  try {
    const scanArray = () => client.ask<ArrayAnswer>({ scans: 50 });
    const { mapId } = await scanArray();
    const show = (taken: number) => amount(taken, "seconds");
    const run = async () => (await scanArray()).seconds;
    const name = "scan in place, median of 50";
    const [amounts = []] = await alternate([{ name, run }], 7, show);
    const shares = await sharesOfCpu(bench, mapId);
    return [
      boundRow({ case: "watch-mmap-scan", unit: "seconds" }, { name, amounts }, SCAN_BOUND_SECONDS),
      boundRow(
        { case: "watch-mmap-scan", unit: "cores" },
        { name: "the daemon, polling it every 10 ms", amounts: shares },
        SCAN_BOUND_SECONDS / 0.01,
      ),
    ];
  } finally {
    await client.stop();
  }
}

/** What the daemon takes of a CPU while it scans the array every 10 ms. */
async function sharesOfCpu(bench: Bench, mapId: number): Promise<number[]> {
  const daemon = await bench.startDaemon();
  const stop = new AbortController();
  try {
    const request = {
      map: mapRef({ id: mapId }),
      start: { case: "from" as const, value: WatchStart.UPDATES },
      pollInterval: durationFromMs(10),
    };
    const watching = (async () => {
      for await (const _ of daemon.client.maps.watch(request, { signal: stop.signal }));
    })();
    watching.catch(() => {}); // It ends by the signal.
    await sleep(2000);
    const show = (share: number) => amount(share, "cores");
    const run = () => cpuShare(daemon, 3);
    const [shares = []] = await alternate([{ name: "polled every 10 ms", run }], 5, show);
    return shares;
  } finally {
    stop.abort();
    await bench.stopDaemon(daemon);
  }
}
