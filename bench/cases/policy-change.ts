import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BpfmapClient } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import { status } from "@grpc/grpc-js";
import type { Bench } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import { amount, boundRow, type Row } from "../harness/row.js";
import type { Case } from "./case.js";

const RUNS = 20;
const BOUND_SECONDS = 1;

/** Changes fall anywhere between two looks at the file, of which some are made in this time. */
const SPREAD_MS = 700;

const OTHER_VERBS = ["list", "read", "write", "delete", "create", "pin", "hold"];

const SPEC = { type: MapType.HASH, name: "bench_policy", keySize: 4, valueSize: 8, maxEntries: 16 };

/**
 * What passes from a change of the policy's file until a watch that is open ends, as its caller
 * may watch no longer, and until one who may again is let in. Each is beside what is promised.
 */
export const policyChange: Case = {
  name: "policy-change",
  about: "time from a change of the policy to the end of an open watch, and to the next one",
  run: measure,
};

async function measure(bench: Bench): Promise<Row[]> {
  const policy = join(bench.directory, "policy.yaml");
  await allow(policy, "all");
  const daemon = await bench.startDaemon(["--policy", policy]);
  try {
    const { map } = await daemon.client.maps.createMap({
      spec: SPEC,
      pinPath: join(daemon.bpffs, SPEC.name),
    });
    const id = map?.id ?? 0;
    let open: OpenWatch;
    const ways = [
      {
        name: "an open watch ends",
        prepare: async () => {
          open = await openWatch(daemon.client, id);
          await delay(Math.random() * SPREAD_MS);
        },
        run: () => timed(() => allow(policy, OTHER_VERBS).then(() => ended(open))),
      },
      {
        name: "a watch is let in",
        prepare: () => delay(Math.random() * SPREAD_MS),
        run: () => timed(() => allow(policy, "all").then(() => untilLetIn(daemon.client, id))),
      },
    ];
    const results = await alternate(ways, RUNS, (taken) => amount(taken, "seconds"));
    return ways.map(({ name }, index) =>
      boundRow(
        { case: "policy-change", unit: "seconds" },
        { name, amounts: results[index] ?? [] },
        BOUND_SECONDS,
      ),
    );
  } finally {
    await bench.stopDaemon(daemon);
  }
}

/** Gives root these verbs on all maps, and nobody anything else. */
function allow(policy: string, verbs: "all" | readonly string[]): Promise<void> {
  const rules = [{ name: "root", identities: ["root"], verbs, maps: "all" }];
  // JSON is YAML.
  return writeFile(
    policy,
    JSON.stringify({ version: 1, identities: { root: [{ uid: [0] }] }, rules }),
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

interface OpenWatch {
  readonly messages: AsyncIterator<unknown>;
  readonly abort: AbortController;
}

/** Begins to watch. Throws where the caller may not. */
async function openWatch({ maps }: BpfmapClient, id: number): Promise<OpenWatch> {
  const abort = new AbortController();
  const request = { map: { ref: { case: "id", value: id } } } as const;
  const messages = maps.watch(request, { signal: abort.signal })[Symbol.asyncIterator]();
  await messages.next();
  return { messages, abort };
}

/** Waits until the caller may watch no longer. */
async function ended({ messages }: OpenWatch): Promise<void> {
  try {
    while (!(await messages.next()).done);
  } catch (error) {
    throwUnlessDenied(error);
    return;
  }
  throw new Error("the watch ended by itself");
}

async function untilLetIn(client: BpfmapClient, id: number): Promise<void> {
  for (;;) {
    try {
      const { abort } = await openWatch(client, id);
      abort.abort();
      return;
    } catch (error) {
      throwUnlessDenied(error);
    }
  }
}

function throwUnlessDenied(error: unknown): void {
  if ((error as { code?: number }).code !== status.PERMISSION_DENIED) throw error;
}
