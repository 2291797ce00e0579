import { CpuFold, OnRecreate, Projection, WatchStart } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Walkable } from "../../maps/support/kernel-map.js";
import type { Random } from "./random.js";
import type { StreamRequest } from "./recording.js";
import { covers } from "./trie-keys.js";

/** How often maps are scanned and bookmarks told, in milliseconds. */
export interface Pace {
  readonly pollMs: readonly number[];
  readonly bookmarkMs: number;
}

interface RandomWatch {
  readonly request: Record<string, unknown>;
  readonly shape: StreamRequest;
}

/** A filter and what it chooses, worked out apart from the daemon. */
interface RandomFilter {
  readonly filter: Record<string, unknown> | undefined;
  readonly chooses: (key: string) => boolean;
}

/** A request to watch the map at a pin with options at random; whole and plain where asked. */
export function randomWatch(
  random: Random,
  pinPath: string,
  type: Walkable,
  keys: readonly Buffer[],
  kind: "whole" | "any",
  pace: Pace,
): RandomWatch {
  const isAny = kind === "any";
  const { filter, chooses } = isAny ? randomFilter(random, type, keys) : everything;
  const keysOnly = isAny && random.chance(0.2);
  const view = isAny && type.includes("PERCPU") ? random.pick(VIEWS) : VIEWS[0];
  const previousValues = !isAny || random.chance(0.5);
  const updatesOnly = isAny && random.chance(0.3);
  const follow = random.chance(0.6);
  return {
    request: {
      map: { ref: { case: "pinPath", value: pinPath } },
      filter,
      start: updatesOnly ? { case: "from", value: WatchStart.UPDATES } : undefined,
      pollInterval: durationFromMs(random.pick(pace.pollMs)),
      projection: keysOnly ? Projection.KEYS : Projection.KEYS_AND_VALUES,
      cpuView: view.cpuView,
      previousValues,
      bookmarkInterval: durationFromMs(pace.bookmarkMs),
      onRecreate: follow ? OnRecreate.FOLLOW : OnRecreate.END,
    },
    shape: {
      chooses: remembered(chooses),
      view: keysOnly ? () => "" : remembered(view.view),
      isPartial: view.cpuView !== undefined,
      keysOnly,
      previousValues,
      updatesOnly,
      follow,
      bookmarkMs: pace.bookmarkMs,
    },
  };
}

const everything: RandomFilter = { filter: undefined, chooses: () => true };

function randomFilter(random: Random, type: Walkable, keys: readonly Buffer[]): RandomFilter {
  const kinds =
    type === "LPM_TRIE" ? (["keys", "cover"] as const) : (["keys", "prefix", "range"] as const);
  const kind = random.pick<"none" | "keys" | "prefix" | "range" | "cover">(["none", ...kinds]);
  if (kind === "keys") {
    const some = keys.filter(() => random.chance(0.3));
    const names = new Set(some.map((key) => key.toString("hex")));
    return { filter: { keys: Buffer.concat(some) }, chooses: (key) => names.has(key) };
  }
  if (kind === "prefix") {
    const prefix = random.pick(keys).subarray(0, 1);
    const start = prefix.toString("hex");
    return { filter: { keyPrefix: prefix }, chooses: (key) => key.startsWith(start) };
  }
  if (kind === "range") {
    const order = type.endsWith("ARRAY") ? numberOf : (key: string) => key;
    const [start, end] = [random.pick(keys), random.pick(keys)].sort((a, b) =>
      order(a.toString("hex")) < order(b.toString("hex")) ? -1 : 1,
    ) as [Buffer, Buffer];
    const [first, last] = [order(start.toString("hex")), order(end.toString("hex"))];
    return {
      filter: { keyRange: { start, end } },
      chooses: (key) => order(key) >= first && order(key) < last,
    };
  }
  if (kind === "cover") {
    const cover = random.pick(keys);
    return {
      filter: { coveredBy: cover },
      chooses: (key) => covers(cover.toString("hex"), key),
    };
  }
  return everything;
}

/** A function that works out each answer once: the validator asks again and again. */
function remembered<T>(work: (hex: string) => T): (hex: string) => T {
  const answers = new Map<string, T>();
  return (hex) => {
    const answer = answers.get(hex) ?? work(hex);
    answers.set(hex, answer);
    return answer;
  };
}

/** The index that an array's key is. */
function numberOf(key: string): number {
  return Buffer.from(key, "hex").readUInt32LE(0);
}

/** Views of a value of one u64 a CPU. */
const VIEWS = [
  { cpuView: undefined, view: (value: string) => value },
  {
    cpuView: { view: { case: "cpu", value: 1 } },
    view: (value: string) => value.slice(16, 32),
  },
  {
    cpuView: { view: { case: "fold", value: CpuFold.SUM_U64 } },
    view: (value: string) => {
      const bytes = Buffer.from(value, "hex");
      let sum = 0n;
      for (let at = 0; at < bytes.length; at += 8) sum += bytes.readBigUInt64LE(at);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, sum));
      return bytes.toString("hex", 0, 8);
    },
  },
] as const;
