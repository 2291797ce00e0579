import { setTimeout as sleep } from "node:timers/promises";
import type { SubscriberAnswer } from "../clients/subscriber-client.js";
import type { WriterAnswer } from "../clients/writer-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import { cpuShare } from "../harness/cpu-share.js";
import type { Daemon } from "../harness/daemon.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { amount, boundRow, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

const ELEMENTS = 1_000_000;

/** What watches cost the daemon. */
export const watchCostCases: Case[] = [
  {
    name: "watch-cpu",
    about: "CPU of a daemon that polls a map of 1 M elements once a second, with 1,000 changes",
    run: measureCpu,
  },
  {
    name: "watch-memory",
    about: "resident memory of a daemon for each element of a watched map of 1 M",
    run: async (bench) => [
      ...(await measureMemory(bench, h48, 26)),
      ...(await measureMemory(bench, h1664, 96)),
    ],
  },
  {
    name: "watch-subscribers",
    about: "scans and CPU for 1,000 subscribers of one map, beside those for one",
    run: measureSubscribers,
  },
];

async function measureCpu(bench: Bench): Promise<Row[]> {
  const { id } = await bench.fullMap(h48, ELEMENTS);
  const numbers = [h48.keySize, h48.valueSize, ELEMENTS].map(String);
  const writer = await ClientProcess.start("writer-client", [`${id}`, ...numbers]);
  const daemon = await bench.startDaemon();
  const subscriber = await startSubscribers(daemon, id, 1, 1000);
  try {
    const run = async () => {
      await subscriber.ask({});
      const writing = writer.ask<WriterAnswer>({ seconds: 8, perSecond: 1000 });
      const cores = await cpuShare(daemon, 8);
      const { changes } = await writing;
      return { cores, changes, ...(await subscriber.ask<SubscriberAnswer>({})) };
    };
    const contenders = [{ name: "the daemon", run }];
    const [runs = []] = await alternate(
      contenders,
      3,
      ({ cores, changes, scans, intervalMs }) =>
        `${amount(cores, "cores")}, ${changes} changes, ${scans} scans, every ${intervalMs} ms`,
    );
    const intervalMs = Math.max(...runs.map((one) => one.intervalMs));
    return [
      boundRow(
        { case: "watch-cpu", unit: "cores" },
        {
          name: `polled every ${amount(intervalMs / 1000, "seconds")}, 1,000 changes a second`,
          amounts: runs.map(({ cores }) => cores),
        },
        0.5,
      ),
    ];
  } finally {
    await Promise.all([subscriber.stop(), writer.stop()]);
    await bench.stopDaemon(daemon);
  }
}

async function measureMemory(bench: Bench, shape: MapKind, boundBytes: number): Promise<Row[]> {
  const map = await bench.fullMap(shape, ELEMENTS);
  const small = await bench.fullMap(shape, 1000);
  const name = `a watched map of 1 M elements, ${shape.keySize}+${shape.valueSize} bytes`;
  const [amounts = []] = await alternate(
    [{ name, run: () => bytesPerElement(bench, map, small) }],
    3,
    (bytes) => `${amount(bytes, "bytes")} an element`,
  );
  return [boundRow({ case: "watch-memory", unit: "bytes" }, { name, amounts }, boundBytes)];
}

async function bytesPerElement(bench: Bench, map: BenchMap, small: BenchMap): Promise<number> {
  const daemon = await bench.startDaemon();
  const subscribers: ClientProcess[] = [];
  try {
    // The thread and what is compiled in it are paid for by the first watch, of whatever map.
    subscribers.push(await startSubscribers(daemon, small.id, 1, 500));
    await sleep(2000);
    const before = await daemon.residentMiB();
    subscribers.push(await startSubscribers(daemon, map.id, 1, 500));
    await sleep(3000);
    return (((await daemon.residentMiB()) - before) * 2 ** 20) / map.elements;
  } finally {
    await Promise.all(subscribers.map((one) => one.stop()));
    await bench.stopDaemon(daemon);
  }
}

const MANY = 1000;
const SECONDS = 4;

async function measureSubscribers(bench: Bench): Promise<Row[]> {
  const map = await bench.fullMap(h48, 100_000);
  const daemon = await bench.startDaemon();
  const run = (streams: number) => async () => {
    // A process for each run: Node's HTTP/2 ends a connection where 1,000 calls are cancelled.
    const subscribers = await startSubscribers(daemon, map.id, streams, 200);
    try {
      await sleep(1000);
      await subscribers.ask({});
      const cores = await cpuShare(daemon, SECONDS);
      return { cores, ...(await subscribers.ask<SubscriberAnswer>({})) };
    } finally {
      await subscribers.stop();
    }
  };
  try {
    const [many = [], one = []] = await alternate(
      [
        { name: `${MANY} subscribers`, run: run(MANY) },
        { name: "1 subscriber", run: run(1) },
      ],
      3,
      ({ cores, scans }) => `${scans} scans in ${SECONDS} s, ${amount(cores, "cores")}`,
    );
    return (["scans", "cores"] as const).map((unit) =>
      row(
        { case: "watch-subscribers", meaning: "subject / peer", unit },
        { name: `${MANY} subscribers, ${SECONDS} s`, amounts: many.map((result) => result[unit]) },
        { name: `1 subscriber, ${SECONDS} s`, amounts: one.map((result) => result[unit]) },
      ),
    );
  } finally {
    await bench.stopDaemon(daemon);
  }
}

function startSubscribers(
  daemon: Daemon,
  mapId: number,
  streams: number,
  pollMs: number,
): Promise<ClientProcess> {
  const numbers = [mapId, streams, pollMs].map(String);
  return ClientProcess.start("subscriber-client", [daemon.address, ...numbers]);
}
