import { connect } from "@bpfmapd/client";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fdCount } from "./support/daemon-state.js";

const ELEMENTS = 200_000;
const SCANS = 8;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon({
    args: ["--scan-threads", "1", "--max-scans", String(SCANS)],
  });
  const spec = { type: 1, keySize: 4, valueSize: 8, maxEntries: ELEMENTS };
  await daemon.client.maps.createMap({ spec, hold: { name: "large" } });
  await daemon.client.map({ held: "large" }).load(elements(ELEMENTS));
});
afterAll(() => daemon.dispose());

function* elements(count: number): Generator<[Buffer, Buffer]> {
  for (let index = 0; index < count; index++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    yield [key, Buffer.alloc(8)];
  }
}

/** As many dumps as the daemon runs at a time can be had: nothing of the ones before runs. */
async function expectAllScansFree(): Promise<void> {
  const dumps = Array.from({ length: SCANS }, async () => {
    let count = 0;
    const dump = daemon.client.map({ held: "large" }).dump();
    for await (const chunk of dump.chunks()) count += chunk.count;
    return count;
  });
  expect(await Promise.all(dumps)).toEqual(Array.from({ length: SCANS }, () => ELEMENTS));
}

it("clients that vanish amid dumps leave no scan and no file behind", async () => {
  const before = fdCount(daemon.pid);
  for (let round = 0; round < 8; round++) {
    const client = connect({ address: `unix:${daemon.socket}` });
    const dumps = Array.from({ length: SCANS }, () =>
      client.map({ held: "large" }).dump({ chunkBytes: 4096 }).chunks(),
    );
    await Promise.all(dumps.map((dump) => dump.next()));
    client.close();
    for (const dump of dumps) void dump.return?.()?.catch(() => {});
    await vi.waitFor(expectAllScansFree, { timeout: 20_000, interval: 20 });
  }
  await vi.waitFor(() => expect(fdCount(daemon.pid)).toBeLessThanOrEqual(before + 1), {
    timeout: 20_000,
    interval: 50,
  });
}, 120_000);

it("clients that vanish amid loads leave no scan and no file behind", async () => {
  const before = fdCount(daemon.pid);
  for (let round = 0; round < 8; round++) {
    const client = connect({ address: `unix:${daemon.socket}` });
    const halfWay = withResolvers();
    const load = client.map({ held: "large" }).load(
      (async function* () {
        yield* elements(50_000);
        halfWay.resolve(undefined);
        await new Promise(() => {});
      })(),
      { chunkBytes: 65_536 },
    );
    load.catch(() => {});
    await halfWay.promise;
    client.close();
    await vi.waitFor(expectAllScansFree, { timeout: 20_000, interval: 20 });
  }
  await vi.waitFor(() => expect(fdCount(daemon.pid)).toBeLessThanOrEqual(before + 1), {
    timeout: 20_000,
    interval: 50,
  });
}, 120_000);

function withResolvers() {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
