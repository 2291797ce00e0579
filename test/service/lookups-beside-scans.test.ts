import { setMaxListeners } from "node:events";
import { mapRef } from "@bpfmapd/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { hex, u32, u64 } from "./support/elements.js";
import { makeMap, type PlainMap, shapeOf } from "./support/plain-map.js";

const ELEMENTS = 200_000;
const DUMPS = 8;
const LOADS = 4;

let daemon: TestDaemon;
let large: PlainMap;
beforeAll(async () => {
  daemon = await startDaemon({ args: ["--max-scans", String(DUMPS + LOADS)] });
  large = await makeMap(daemon, shapeOf("HASH", { maxEntries: ELEMENTS }));
  const elements = Array.from(
    { length: ELEMENTS },
    (_, index) => [u32(index), u64(index)] as const,
  );
  await large.handle.load(elements);
});
afterAll(() => daemon?.dispose());

it("lookups, updates and dumps of small maps are answered while other scans stand still, and no further scan is", async () => {
  const small = await makeMap(daemon, shapeOf("HASH"));
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  const dumps = Array.from({ length: DUMPS }, () =>
    large.handle.dump({ chunkBytes: 1024, signal: abort.signal }).chunks(),
  );
  // Each has sent something and is read no further.
  await Promise.all(dumps.map((dump) => dump.next()));
  async function* stalled() {
    yield { kind: { case: "start" as const, value: { map: mapRef({ id: small.id }) } } };
    await new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
  }
  // A count that is tried below may hold the place that a load asks for: the load asks again.
  const load = async () => {
    while (!abort.signal.aborted) {
      await daemon.client.maps.loadMap(stalled(), { signal: abort.signal }).catch(() => {});
    }
  };
  const loads = Array.from({ length: LOADS }, load);

  await expect
    .poll(
      () =>
        small.handle.count().then(
          () => "",
          (error) => error.reason,
        ),
      { timeout: 20_000 },
    )
    .toBe("LIMIT_EXCEEDED");
  for (let index = 0; index < 300; index++) {
    await small.handle.update(u32(index), u64(index + 1));
    expect(hex((await small.handle.lookup(u32(index)))!)).toBe(hex(u64(index + 1)));
    expect(await large.handle.lookup(u32(index))).toBeDefined();
  }
  let dumped = 0;
  for await (const { count } of small.handle.dump().chunks()) dumped += count;
  expect(dumped).toBe(300);
  abort.abort();
  await Promise.all(loads);
  await Promise.all(dumps.map((dump) => dump.return?.()));
  await expect
    .poll(
      () =>
        small.handle.count().then(
          ({ count }) => count,
          () => -1n,
        ),
      { timeout: 20_000 },
    )
    .toBe(300n);
});
