import { readFileSync } from "node:fs";
import { BpfmapError } from "@bpfmapd/client";
import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { uniqueName } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { elements, u32 } from "./support/fault-stage.js";
import { withFault } from "./support/inject.js";

/** What mmap(2) and what goes with it can answer, and the reasons that tell of it. */
const REASONS = {
  ENOMEM: "KERNEL_MEMORY",
  EPERM: "KERNEL_DENIED",
  EAGAIN: "MAP_CONTENDED",
} as const;

type FaultErrno = keyof typeof REASONS;

const ENTRIES = 8;
const CONTENTS = elements(0, ENTRIES, 1);

interface Mapped {
  readonly name: string;
  readonly spec: {
    type: MapType;
    keySize: number;
    valueSize: number;
    maxEntries: number;
    flags?: number;
  };
  act(daemon: TestDaemon, id: number): Promise<unknown>;
  /** What it comes to where it succeeds. */
  readonly result: unknown;
  /** Whether it reads the map another way where memory cannot be mapped. */
  readonly hasOtherWay?: true;
}

const ARRAY = {
  ...{ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: ENTRIES },
  flags: CreateFlag.MMAPABLE,
};
const ring = (type: MapType) => ({ type, keySize: 0, valueSize: 0, maxEntries: 4096 });

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const VALUES = CONTENTS.map(([, value]) => hex(value));

const OPERATIONS: readonly Mapped[] = [
  {
    name: "ReadMemory",
    spec: ARRAY,
    act: async ({ client }, id) => hex(await client.map({ id }).readMemory(0, 8 * ENTRIES)),
    result: VALUES.join(""),
  },
  {
    name: "DumpMap",
    spec: ARRAY,
    async act({ client }, id) {
      const values: string[] = [];
      for await (const [, value] of client.map({ id }).dump()) values.push(hex(value));
      return values;
    },
    result: VALUES,
    hasOtherWay: true,
  },
  {
    name: "Watch",
    spec: ARRAY,
    async act({ client }, id) {
      const values: string[] = [];
      for await (const event of client.map({ id }).watch()) {
        if (event.type === "put") values.push(hex(event.value!));
        if (event.type === "synced") break;
      }
      return values;
    },
    result: VALUES,
    hasOtherWay: true,
  },
  {
    name: "WriteRecords",
    spec: ring(MapType.USER_RINGBUF),
    act: ({ client }, id) => client.map({ id }).writeRecords([u32(1), u32(2)]),
    result: 2n,
  },
  {
    name: "ReadRecords",
    spec: ring(MapType.RINGBUF),
    async act({ client }, id) {
      const stream = client.map({ id }).records({ exclusive: true });
      await stream.started;
      await stream.batches().return?.();
      return "started";
    },
    result: "started",
  },
];

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** Mappings of maps that the daemon has. */
function mappings(): number {
  const maps = readFileSync(`/proc/${daemon.pid}/maps`, "utf8");
  return maps.split("\n").filter((line) => line.includes("bpf-map")).length;
}

describe.each(Object.keys(REASONS) as FaultErrno[])(
  "where mmap(2) of a map answers %s",
  (errno) => {
    it.each(OPERATIONS.map((one) => [one.name, one] as const))(
      "%s is done or refused, and keeps no memory",
      async (_, operation) => {
        let at = 1;
        while (await isReached(operation, errno, at)) at += 1;
        expect(at).toBeGreaterThan(1);
      },
      120_000,
    );
  },
);

async function isReached(operation: Mapped, errno: FaultErrno, at: number): Promise<boolean> {
  const hold = uniqueName();
  const { map } = await daemon.client.maps.createMap({
    spec: operation.spec,
    hold: { name: hold },
  });
  const { id } = map!;
  try {
    if (operation.spec === ARRAY) await daemon.client.map({ id }).updateMany(CONTENTS);
    const before = mappings();
    const what = `error=${errno}`;
    const fault = { syscall: "mmap", what, when: `${at}`, path: "anon_inode:bpf-map" } as const;
    const { outcome, hits } = await withFault(daemon.pid, fault, () => operation.act(daemon, id));
    const isRefused = outcome.status === "rejected";
    if (isRefused) {
      expect(hits, `${outcome.reason}`).not.toEqual([]);
      expect(operation.hasOtherWay, `${outcome.reason}`).toBeUndefined();
      expect(outcome.reason).toBeInstanceOf(BpfmapError);
      expect((outcome.reason as BpfmapError).reason).toBe(REASONS[errno]);
    } else {
      expect(outcome.value).toEqual(operation.result);
    }
    await vi.waitFor(() => expect(mappings()).toBe(before));
    return hits.length > 0;
  } finally {
    await daemon.client.maps.releaseMap({ name: hold });
  }
}
