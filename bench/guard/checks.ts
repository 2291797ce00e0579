import { goDump } from "../cases/go-dump.js";
import { goLoad } from "../cases/loaders.js";
import type { DumpAnswer } from "../clients/dump-client.js";
import type { ScanAnswer } from "../clients/scan-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import type { BesideReference } from "../harness/beside-reference.js";
import type { Contender } from "../harness/compare.js";
import { type Busy, cpuOf } from "../harness/cpu-of.js";
import { h48, h1664, mmapable } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { batchDumpCost } from "../peers/c-loop.js";

/** What must not come to cost more, beside a peer: each contender tells the CPU time that its work took. */
export interface Check {
  name: string;
  subject: Contender;
  peer: Contender;
}

/** The checks, and the clients that they use besides. */
export interface Checks {
  all: Check[];
  close(): Promise<void>;
}

const MILLION = 1_000_000;

export async function openChecks(bench: Bench, beside: BesideReference): Promise<Checks> {
  const { daemon } = bench;
  const { reference, ours, theirs } = beside;
  const small = await bench.fullMap(h48, 1000);
  const map48 = await bench.fullMap(h48, MILLION);
  const map1664 = await bench.fullMap(h1664, MILLION);
  const array = await bench.fullMap(mmapable, MILLION);
  const target = await bench.emptyMap(h1664, 600_000);
  const node = await ClientProcess.start("dump-client", [daemon.address, `${map1664.id}`]);
  const scanner = await ClientProcess.start("scan-client", [daemon.address, `${map48.id}`]);

  const us = { name: "the daemon and its client", client: ours, server: daemon };
  const them = { name: "the reference and its client", client: theirs, server: reference };
  const both = (name: string, work: Work, peer = them, prepare?: () => Promise<void>): Check => ({
    ...{ name, subject: by(us, work, prepare), peer: by(peer, work, prepare) },
  });

  return {
    all: [
      both("dump-h48", dumps(map48, 2)),
      both("dump-h1664", dumps(map1664, 1)),
      both("dump-h48-1k", dumps(small, 600)),
      both("dump-mmapable", dumps(array, 10)),
      {
        name: "dump-h1664-node",
        subject: {
          name: "the daemon and a Node client",
          run: () => cpuOf([daemon, node], () => nodeDump(node)),
        },
        peer: by(them, dumps(map1664, 1)),
      },
      both("load-h1664", load(target), them, () => bench.clear(target)),
      both("lookups-1", lookups(map48, 1, false)),
      both("lookups-64", lookups(map48, 64, false)),
      {
        name: "lookups-64-batching",
        subject: by(us, lookups(map48, 64, true)),
        peer: by(them, lookups(map48, 64, false)),
      },
      {
        name: "watch-scan-h48",
        subject: {
          name: "the daemon, a scan",
          run: async () => (await cpuOf([daemon], () => scan(scanner))) / SCANS,
        },
        peer: {
          name: "C loop of LOOKUP_BATCH",
          isNew: true,
          run: async () => (await batchDumpCost(map48)).cpuSeconds,
        },
      },
    ],
    close: async () => {
      await Promise.all([node.stop(), scanner.stop()]);
    },
  };
}

/** Work of a client, which tells how often it did it. */
type Work = (client: ClientProcess) => Promise<number>;

interface Party {
  name: string;
  client: ClientProcess;
  server: Busy;
}

function by({ name, client, server }: Party, work: Work, prepare?: () => Promise<void>): Contender {
  const run = async () => {
    let times = 0;
    const cpu = await cpuOf([server, client], async () => {
      times = await work(client);
    });
    return cpu / times;
  };
  return { name, run, ...(prepare === undefined ? {} : { prepare }) };
}

function dumps(map: BenchMap, times: number): Work {
  return async (client) => {
    await goDump(client, map, { times });
    return times;
  };
}

function load(map: BenchMap): Work {
  return async (client) => {
    await goLoad(client, map);
    return 1;
  };
}

function lookups({ id, elements }: BenchMap, callers: number, batching: boolean): Work {
  return async (client) => {
    const question = { work: "lookups", map: id, maxEntries: elements, callers, batching };
    const answer = await client.ask<{ lookups: number }>({ ...question, seconds: 0.5 });
    return answer.lookups;
  };
}

function nodeDump(client: ClientProcess): Promise<DumpAnswer> {
  return client.ask({ times: 1 });
}

const SCANS = 2;

function scan(scanner: ClientProcess): Promise<ScanAnswer> {
  return scanner.ask({ scans: SCANS });
}
