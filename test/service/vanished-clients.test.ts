import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { connect, mapRef } from "@bpfmapd/client";
import { DumpMapRequestSchema, LoadMapRequestSchema, LoadStrategy } from "@bpfmapd/client/proto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fdCount, openMaps, residentBytes, threadCount } from "./support/daemon-state.js";
import { u32, u64 } from "./support/elements.js";
import { frames, RawConnection } from "./support/raw-grpc.js";

const SCRIPT = resolve(import.meta.dirname, "support/vanishing-client.mjs");
const ELEMENTS = 200_000;
const SCANS = 8;
/** What one client can leave behind that waits for the garbage collector is far less. */
const SLACK_BYTES = 96 << 20;
const SLOWLY = { timeout: 30_000, interval: 20 };

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ args: ["--scan-threads", "1", "--max-scans", String(SCANS)] });
  const spec = { type: 1, keySize: 4, valueSize: 8 };
  const { maps } = daemon.client;
  await maps.createMap({ spec: { ...spec, maxEntries: ELEMENTS }, hold: { name: "large" } });
  await maps.createMap({ spec: { ...spec, maxEntries: 1000 }, hold: { name: "small" } });
  await daemon.client.map({ held: "large" }).load(elements(0, ELEMENTS));
  await daemon.client.map({ held: "small" }).load(elements(500, 1000));
  await expectAllScansFree();
});
afterAll(() => daemon?.dispose());

function* elements(from: number, to: number): Generator<[Buffer, Buffer]> {
  for (let index = from; index < to; index++) yield [u32(index), u64(index)];
}

/** As many scans as the daemon runs at a time can be had: nothing of the ones before runs. */
async function expectAllScansFree(): Promise<void> {
  const scans = Array.from({ length: SCANS }, () => daemon.client.map({ held: "small" }).count());
  for (const { count } of await Promise.all(scans)) expect(count).toBeGreaterThanOrEqual(500n);
}

/** Runs `vanish` many times over; the daemon then has what it had before and no more. */
async function expectNothingLeft(rounds: number, vanish: () => Promise<void>): Promise<void> {
  const state = () => ({
    files: fdCount(daemon.pid),
    threads: threadCount(daemon.pid),
    maps: openMaps(daemon.pid),
  });
  const before = state();
  for (let round = 0; round < rounds; round++) {
    await vanish();
    await vi.waitFor(expectAllScansFree, SLOWLY);
  }
  await vi.waitFor(() => {
    const { files, threads, maps } = state();
    expect(maps).toEqual(before.maps);
    expect(files).toBeLessThanOrEqual(before.files);
    expect(threads).toBeLessThanOrEqual(before.threads);
  }, SLOWLY);
  expect(daemon.logs.filter(({ level }) => level === "error")).toEqual([]);
}

async function expectSmallUntouched(): Promise<void> {
  const small = daemon.client.map({ held: "small" });
  for (const [key] of [...elements(500, 1000)].filter((_, index) => index % 50 === 0)) {
    expect(await small.lookup(key)).toBeDefined();
  }
}

function dumpBody(): Buffer {
  const request = { map: mapRef({ held: "large" }), chunkBytes: 4096 };
  return frames(toBinary(DumpMapRequestSchema, create(DumpMapRequestSchema, request)));
}

/** The start of a load that replaces, and a chunk of it; the end does not follow. */
function loadBody(): Buffer {
  const message = (kind: MessageInitShape<typeof LoadMapRequestSchema>["kind"]) =>
    toBinary(LoadMapRequestSchema, create(LoadMapRequestSchema, { kind }));
  const start = { map: mapRef({ held: "small" }), strategy: LoadStrategy.REPLACE };
  const value = { count: 2, keys: Buffer.concat([u32(1), u32(2)]), values: Buffer.alloc(16) };
  return frames(message({ case: "start", value: start }), message({ case: "elements", value }));
}

it("a client process that is killed amid dumps and a load leaves nothing behind", async () => {
  await expectNothingLeft(6, async () => {
    const args = [SCRIPT, `unix:${daemon.socket}`, "large", "small"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await ended;
  });
  await expectSmallUntouched();
}, 120_000);

it("connections that are cut amid dumps leave nothing behind", async () => {
  await expectNothingLeft(25, async () => {
    const connection = await RawConnection.open(daemon.socket);
    const streams = Array.from({ length: 3 }, () =>
      connection.start("bpfmap.v1.MapService/DumpMap"),
    );
    for (const stream of streams) {
      stream.on("error", () => {});
      stream.end(dumpBody());
    }
    await Promise.all(streams.map((stream) => once(stream, "response")));
    connection.destroy();
  });
}, 120_000);

it("connections that are cut amid loads that replace leave nothing behind, and remove nothing", async () => {
  await expectNothingLeft(25, async () => {
    const connection = await RawConnection.open(daemon.socket);
    const streams = Array.from({ length: 3 }, () =>
      connection.start("bpfmap.v1.MapService/LoadMap"),
    );
    for (const stream of streams) {
      stream.on("error", () => {});
      await new Promise((sent) => stream.write(loadBody(), sent));
    }
    connection.destroy();
  });
  await expectSmallUntouched();
}, 120_000);

it("calls that are cancelled on a connection that stays leave nothing behind", async () => {
  await expectNothingLeft(25, async () => {
    const dumps = Array.from({ length: 4 }, () =>
      daemon.client.map({ held: "large" }).dump({ chunkBytes: 4096 }).chunks(),
    );
    await Promise.all(dumps.map((dump) => dump.next()));
    await Promise.all(dumps.map((dump) => dump.return?.()));
    const abort = new AbortController();
    async function* stalled() {
      yield* elements(0, 300);
      abort.abort();
      await new Promise(() => {});
    }
    const load = daemon.client
      .map({ held: "small" })
      .load(stalled(), { chunkBytes: 1000, signal: abort.signal, strategy: LoadStrategy.REPLACE });
    await expect(load).rejects.toMatchObject({ message: expect.stringContaining("cancelled") });
  });
  await expectSmallUntouched();
}, 120_000);

it("clients that vanish do not make the daemon grow", async () => {
  const vanish = async (clients: number) => {
    for (let made = 0; made < clients; made++) {
      const client = connect({ address: `unix:${daemon.socket}` });
      const start = async () => {
        const dump = client.map({ held: "large" }).dump().chunks();
        await dump.next();
        return dump;
      };
      // The daemon may still be ending the scans of the clients before.
      const dump = await vi.waitFor(start, SLOWLY);
      client.close();
      await dump.return?.();
    }
    await vi.waitFor(expectAllScansFree, SLOWLY);
  };
  await vanish(100);
  const warm = residentBytes(daemon.pid);
  await vanish(200);
  expect(residentBytes(daemon.pid)).toBeLessThan(warm + SLACK_BYTES);
}, 120_000);
