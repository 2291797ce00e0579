// Changes elements of a map one by one, and times each until a watch of the map tells it.
// Arguments: ADDRESS MAP_ID KEY_SIZE VALUE_SIZE COUNT
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { connect } from "@bpfmapd/client";
import { WatchFidelity, WatchSource } from "@bpfmapd/client/proto";
import { ElementCalls, mapGetFdById } from "#dist/kernel/index.js";
import { elements } from "../harness/elements.js";
import { type Quantiles, quantiles } from "../harness/quantiles.js";
import { updateProgram } from "../harness/update-program.js";
import { serve } from "./serve.js";

export interface LatencyQuestion {
  /**
   * Through the service, or by what the daemon knows nothing of: bpf(2) or a BPF program in
   * this process, or bpftool.
   */
  by: "service" | "bpf" | "program" | "bpftool";
  /** Whether to ask for the best source there is, or for scans only. */
  source: "best" | "poll";
  pollIntervalMs: number;
  changes: number;
  /** Pauses before changes are random, up to this. */
  maxPauseMs: number;
}

export interface LatencyAnswer {
  /**
   * From just before the change to its event, in seconds. By bpftool: from the end of its
   * process, most of which is its start; none where the event came before.
   */
  latency: Quantiles;
  /** What the daemon learnt changes from. */
  source: "poll" | "trace" | "syscall";
}

const [address, ...numbers] = process.argv.slice(2);
const [mapId = 0, keySize = 0, valueSize = 0, count = 0] = numbers.map(Number);
const client = connect({ address });
await client.waitForReady(10_000);
const map = client.map({ id: mapId });
const fd = mapGetFdById(mapId)!;
const calls = new ElementCalls(fd, keySize, valueSize);
const putByProgram = updateProgram(fd, keySize, valueSize);
const execute = promisify(execFile);
let changes = 0;

/** Makes a change; answers when to count from. */
async function change(by: LatencyQuestion["by"], key: Uint8Array): Promise<number> {
  const value = Buffer.alloc(valueSize);
  value.writeUInt32LE(++changes);
  const start = performance.now();
  if (by === "service") {
    await map.update(key, value);
  } else if (by === "program") {
    if (!putByProgram(key, value)) throw new Error("the program's update was refused");
  } else if (by === "bpftool") {
    const words = ["key", ...Array.from(key, String), "value", ...Array.from(value, String)];
    await execute("bpftool", ["map", "update", "id", `${mapId}`, ...words]);
    return performance.now();
  } else {
    calls.key.set(key);
    calls.value.set(value);
    if (calls.update() !== undefined) throw new Error("the update was refused");
  }
  return start;
}

serve(async (question: LatencyQuestion): Promise<LatencyAnswer> => {
  const fidelity = question.source === "best" ? WatchFidelity.BEST_AVAILABLE : WatchFidelity.LATEST;
  const { pollIntervalMs } = question;
  const watch = map.watch({ updatesOnly: true, fidelity, pollIntervalMs, bookmarkIntervalMs: 100 });
  const events = watch[Symbol.asyncIterator]();
  let source: LatencyAnswer["source"] | undefined;
  /** Reads up to the next event of a kind; events of the change before may come once more. */
  const next = async (type: "put" | "bookmark"): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { value, done } = await events.next();
      if (done) throw new Error("the watch ended");
      if (value.type === "created") source = sourceName(value.created.source);
      if (value.type === type) return value.type === "put" ? value.value : undefined;
    }
  };
  await next("bookmark");
  const taken: number[] = [];
  for (let number = 0; number < question.changes; number++) {
    await sleep(Math.random() * question.maxPauseMs);
    const { keys } = elements({ name: "", keySize, valueSize }, number % count, 1);
    const told = next("put").then(async (value) => {
      let last = value;
      while (Buffer.from(last ?? []).readUInt32LE() !== changes) last = await next("put");
      return performance.now();
    });
    const start = await change(question.by, keys);
    taken.push(Math.max(0, (await told) - start) / 1000);
  }
  await events.return?.();
  return { latency: quantiles(taken), source: source ?? "poll" };
});

function sourceName(source: WatchSource): LatencyAnswer["source"] {
  if (source === WatchSource.TRACE) return "trace";
  return source === WatchSource.SYSCALL ? "syscall" : "poll";
}
