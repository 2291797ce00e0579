import { readFileSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { BpfmapError } from "@bpfmapd/client";
import { MapType, OnError } from "@bpfmapd/client/proto";
import { Metadata, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../daemon/support/run.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { guardedDaemon, KEY, stageMap, VALUE } from "./support/guarded-daemon.js";

interface Line {
  readonly event: string;
  readonly rpc: string;
  readonly outcome: string;
  readonly [member: string]: unknown;
}

function linesOf(file: string): Line[] {
  const text = readFileSync(file, "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

/** The lines of calls, of a daemon whose only calls are those of the test. */
function callsOf(file: string): Line[] {
  return linesOf(file).filter(({ event }) => event !== "start");
}

function audited(...args: string[]): Promise<TestDaemon> {
  return startDaemon({ args, logLevel: "error" });
}

const SPEC = { type: MapType.HASH, keySize: 1, valueSize: 1, maxEntries: 4 };

type Step =
  | { readonly do: "put" | "remove"; readonly keys: readonly number[]; readonly goOn: boolean }
  | { readonly do: "load"; readonly keys: readonly number[] }
  | { readonly do: "clear" }
  | { readonly do: "look" };

const keys = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("put" as const, "remove" as const), keys, goOn: fc.boolean() }),
  fc.record({ do: fc.constant("load" as const), keys }),
  fc.constantFrom<Step>({ do: "clear" }, { do: "look" }),
);

describe("the audit", () => {
  it("tells every change: played back, it gives the map's keys", async () => {
    const file = join(temporaryDirectory(), "audit.jsonl");
    const { client } = await audited("--audit-file", file);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.uuid(), async (steps, uuid) => {
        const name = `a${uuid.slice(0, 8)}`;
        const from = callsOf(file).length;
        await client.maps.createMap({ spec: SPEC, hold: { name } });
        const map = { ref: { case: "held", value: name } } as const;
        let changes = 1;
        for (const each of steps) {
          if (each.do !== "look") changes += each.do === "load" ? 2 : 1;
          await take(each).catch((error) => {
            if (!(error instanceof BpfmapError)) throw error;
          });
        }
        const lines = callsOf(file).slice(from);
        expect(lines).toHaveLength(changes);
        expect(lines[0]).toMatchObject({ rpc: expect.stringContaining("CreateMap"), hold: name });
        const left: number[] = [];
        for await (const [key] of client.map({ held: name }).dump()) left.push(key[0]!);
        expect(left.sort()).toEqual(played(lines).sort());
        await client.maps.releaseMap({ name });

        async function take(each: Step): Promise<unknown> {
          if (each.do === "look") return client.maps.countElements({ map });
          if (each.do === "clear") return client.maps.clearMap({ map });
          const bytes = Uint8Array.from(each.keys);
          const count = bytes.length;
          const elements = { count, keys: bytes, values: bytes };
          if (each.do === "load") {
            return client.maps.loadMap(
              (async function* () {
                yield { kind: { case: "start", value: { map } } } as const;
                yield { kind: { case: "elements", value: elements } } as const;
              })(),
            );
          }
          const onError = each.goOn ? OnError.CONTINUE : OnError.STOP;
          if (each.do === "put") return client.maps.updateElements({ map, elements, onError });
          return client.maps.deleteElements({ map, keys: bytes, count, onError });
        }

        // A load's keys are not told, so that one is taken from the map of the moment.
        function played(told: readonly Line[]): number[] {
          const present = new Set<number>();
          const loads = steps.filter((each) => each.do === "load");
          for (const { rpc, event, ...line } of told) {
            const method = rpc.split("/")[1];
            if (method === "ClearMap" && line.outcome === "OK") present.clear();
            if (method === "LoadMap" && event === "end") {
              const load = loads.shift();
              for (const key of load!.keys)
                if (present.size < 4 || present.has(key)) present.add(key);
            }
            const given = (line.keys ?? []) as string[];
            const failed = new Set((line.failed ?? []) as number[]);
            const until = line.outcome === "OK" ? given.length : Number(line.applied ?? 0);
            for (const [index, key] of given.entries()) {
              if (index >= until || failed.has(index)) continue;
              if (method === "UpdateElements") present.add(Number.parseInt(key, 16));
              if (method === "DeleteElements") present.delete(Number.parseInt(key, 16));
            }
          }
          return [...present];
        }
      }),
      { numRuns: 12 },
    );
  });

  it("tells who, from where, what, which map and keys, how it ended, and the client's own id", async () => {
    const file = join(temporaryDirectory(), "audit.jsonl");
    const { client } = await audited("--audit-file", file);
    await client.maps.createMap({ spec: { ...SPEC, name: "told" }, hold: { name: "told" } });
    const map = { ref: { case: "held", value: "told" } } as const;
    const metadata = new Metadata();
    metadata.set("x-request-id", "ticket-7");
    const elements = { count: 2, keys: Uint8Array.of(1, 255), values: Uint8Array.of(9, 9) };
    await client.maps.updateElements({ map, elements }, { metadata });
    await client.maps.lookupElements({ map, keys: Uint8Array.of(1), count: 1 });
    const removing = client.maps.deleteElements({ map, keys: Uint8Array.of(1, 3), count: 2 });
    await expect(removing).rejects.toMatchObject({ code: status.NOT_FOUND });
    const told = callsOf(file);
    const common = {
      caller: "uid 0",
      peer: "unix",
      uid: 0,
      gid: 0,
      pid: process.pid,
      event: "call",
    };
    const maps = [{ id: expect.any(Number), name: "told" }];
    expect(told).toEqual([
      expect.objectContaining({ ...common, outcome: "OK", created: true, hold: "told" }),
      expect.objectContaining({
        ...{ ...common, maps, rpc: "bpfmap.v1.MapService/UpdateElements" },
        ...{ keys: ["01", "ff"], key_count: 2, outcome: "OK", applied: 2 },
        client_request: "ticket-7",
      }),
      expect.objectContaining({
        ...{ ...common, maps, keys: ["01", "03"], key_count: 2, applied: "1" },
        ...{ outcome: "NOT_FOUND", reason: "ELEMENT_NOT_FOUND" },
      }),
    ]);
    expect(new Set(told.map(({ request }) => request)).size).toBe(3);
    expect(JSON.stringify(told)).not.toContain("0909");
  });

  it("tells denied calls, also of those that only look, and keys as hashes where asked", async () => {
    const file = join(temporaryDirectory(), "audit.jsonl");
    const guarded = await guardedDaemon(
      [{ who: "reader", verbs: ["list"], maps: { names: ["se_*"] } }],
      {
        args: ["--audit-file", file, "--audit-keys", "sha256"],
      },
    );
    onTestFinished(() => guarded.dispose());
    const map = await stageMap(guarded, "hi_");
    const reader = await guarded.as("reader");
    await expect(reader.map({ id: map.id }).lookup(KEY)).rejects.toThrow();
    await expect(reader.map({ id: map.id }).get()).rejects.toThrow();
    const told = callsOf(file);
    expect(told.slice(-2)).toEqual([
      expect.objectContaining({ outcome: "denied", verb: "read", caller: "token of reader" }),
      expect.objectContaining({ outcome: "denied", verb: "list", reason: "ACCESS_DENIED" }),
    ]);
    await guarded.admin.map({ id: map.id }).update(KEY, VALUE);
    expect(callsOf(file).at(-1)).toMatchObject({ keys: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
  });

  it("goes on in a new file when the old one is moved away and SIGHUP says so", async () => {
    const file = join(temporaryDirectory(), "audit.jsonl");
    const { client, pid } = await audited("--audit-file", file);
    const hold = (name: string) => client.maps.createMap({ spec: SPEC, hold: { name } });
    await hold("one");
    renameSync(file, `${file}.1`);
    await hold("two");
    process.kill(pid, "SIGHUP");
    await expect.poll(() => tryLines(file)).toEqual([]);
    await hold("three");
    expect(callsOf(`${file}.1`).map(({ hold: name }) => name)).toEqual(["one", "two"]);
    expect(callsOf(file).map(({ hold: name }) => name)).toEqual(["three"]);
  });

  it("that cannot be written lets nothing be changed till it can, and loses no line", async () => {
    const file = join(temporaryDirectory(), "audit.jsonl");
    symlinkSync("/dev/full", file);
    const { client, pid, logs } = await audited("--audit-file", file);
    const hold = (name: string) => client.maps.createMap({ spec: SPEC, hold: { name } });
    const refused = { code: status.UNAVAILABLE, reason: "AUDIT_UNAVAILABLE" };
    await expect.poll(() => logs.map(({ msg }) => msg).join()).toContain("changes are refused");
    await expect(hold("one")).rejects.toMatchObject(refused);
    await client.maps.listMaps({ pageSize: 1 });
    unlinkSync(file);
    process.kill(pid, "SIGHUP");
    await expect.poll(() => hold("two").catch((error) => error)).toMatchObject({ created: true });
    const told = linesOf(file);
    expect(told[0]).toMatchObject({ event: "start" });
    expect(told).toContainEqual(expect.objectContaining({ hold: "two", outcome: "OK" }));
    expect(told).toContainEqual(expect.objectContaining({ reason: "AUDIT_UNAVAILABLE" }));
  });

  it("that cannot be written lets changes go on where that is set", async () => {
    const { client, logs } = await audited(
      "--audit-file",
      "/dev/full",
      "--audit-on-failure",
      "allow",
    );
    await client.maps.createMap({ spec: SPEC, hold: { name: "one" } });
    expect(logs.map(({ msg }) => msg)).toContain("the audit log cannot be written: changes go on");
  });
});

function tryLines(file: string): Line[] | undefined {
  try {
    return linesOf(file);
  } catch {
    return undefined;
  }
}
