import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { BpfmapError, status } from "@bpfmapd/client";
import { Projection, ResyncReason } from "@bpfmapd/client/proto";
import { describe, expect, it } from "vitest";
import { bpftool, dataWords } from "../service/support/bpftool.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, type PlainMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

function resumed(daemon: TestDaemon, id: number, token: Uint8Array, more = {}): WatchReader {
  const start = { case: "resumeToken" as const, value: token };
  return new WatchReader(daemon.client, watchRequest({ id }, { ...more, start }));
}

async function refusalOf(watch: WatchReader): Promise<BpfmapError> {
  return watch.next().then(() => expect.fail("it was not refused"), BpfmapError.from);
}

/** A map with element 1 and the token of a watch of it that has ended. */
async function watchedBefore(daemon: TestDaemon, more = {}) {
  const map = await makeMap(daemon, shapeOf("HASH"));
  await map.handle.update(u32(1), u64(1));
  const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, more));
  await watch.synced();
  watch.close();
  return { map, token: watch.token };
}

/** Writes an element besides the service. */
function put({ id }: PlainMap, key: number, value: number): void {
  const [keyWords, valueWords] = [dataWords(u32(key)), dataWords(u64(value))];
  bpftool("map", "update", "id", `${id}`, "key", ...keyWords, "value", ...valueWords);
}

describe("a resume token", () => {
  it("goes on where the stream stood, though nobody watched meanwhile", async () => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    await map.handle.update(u32(2), u64(2));
    await map.handle.delete(u32(1));
    const watch = resumed(daemon, map.id, token);
    await watch.until("bookmark");
    await watch.untilHolds(() => watch.contents.size > 0);
    const rows = watch.takeRows().map(({ key, shown }) => [key, shown]);
    expect(new Map(rows as [string, string][])).toEqual(
      new Map([
        [hex(u32(2)), hex(u64(2))],
        [hex(u32(1)), undefined],
      ]),
    );
  });

  it("tells that what was told beyond it is undone", async () => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    const request = watchRequest({ id: map.id });
    const [cut, other] = [request, request].map((one) => new WatchReader(daemon.client, one));
    await Promise.all([cut!.synced(), other!.synced()]);
    // Found by scans, which know what was there before.
    put(map, 2, 2);
    put(map, 1, 7);
    for (const watch of [cut!, other!]) {
      await watch.untilHolds(() => watch.contents.size === 2);
      await watch.untilHolds(() => watch.contents.get(hex(u32(1))) === hex(u64(7)));
    }
    cut!.close();
    bpftool("map", "delete", "id", `${map.id}`, "key", ...dataWords(u32(2)));
    put(map, 1, 1);
    const held = new Map([[hex(u32(1)), hex(u64(1))]]);
    await other!.untilHolds(() => isDeepStrictEqual(other!.contents, held));
    const watch = resumed(daemon, map.id, token);
    for (const [key, shown] of cut!.contents) watch.contents.set(key, shown);
    await watch.untilHolds(() => isDeepStrictEqual(watch.contents, held));
  });

  it("that the history no longer reaches back to leads to a snapshot", async () => {
    const daemon = await startDaemon({ args: ["--watch-history-bytes", "64KiB"] });
    const { map, token } = await watchedBefore(daemon);
    const other = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await other.synced();
    for (let count = 0; count < 100; count++) await map.handle.update(u32(2), u64(count));
    await other.untilHolds(() => other.contents.get(hex(u32(2))) === hex(u64(99)));
    const watch = resumed(daemon, map.id, token);
    expect((await watch.until("resync")).reason).toBe(ResyncReason.HISTORY_EXPIRED);
    await watch.synced();
    expect(watch.contents.size).toBe(2);
  });

  it("of a daemon that has ended leads to a snapshot", async () => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    await daemon.restart();
    const watch = resumed(daemon, map.id, token);
    expect((await watch.until("resync")).reason).toBe(ResyncReason.EPOCH_CHANGED);
    await watch.synced();
    expect(watch.contents.size).toBe(1);
  });

  it("of another boot leads to a snapshot, as the key it was made with may be lost", async () => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    const { bootId } = await daemon.client.host.getHost({}).then(({ host }) => host!);
    const text = Buffer.from(token).toString("latin1").replace(bootId, randomUUID());
    const watch = resumed(daemon, map.id, Buffer.from(text, "latin1"));
    expect((await watch.until("resync")).reason).toBe(ResyncReason.EPOCH_CHANGED);
    await watch.synced();
  });

  it("of another map leads to a snapshot", async () => {
    const daemon = await startDaemon();
    const { token } = await watchedBefore(daemon);
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = resumed(daemon, map.id, token);
    expect((await watch.until("resync")).reason).toBe(ResyncReason.MAP_RECREATED);
    await watch.synced();
  });

  const forgeries = [
    ["made up", () => Buffer.from("a token that nobody made, of some length")],
    ["cut", (token: Uint8Array) => token.subarray(0, -3)],
    ["cut to a byte", (token: Uint8Array) => token.subarray(0, 1)],
    ["longer", (token: Uint8Array) => Buffer.concat([token, Buffer.of(0x20)])],
    [
      "changed",
      (token: Uint8Array) => {
        const text = Buffer.from(token).toString("latin1");
        return Buffer.from(text.replace(/\d+\]$/, "77]"), "latin1");
      },
    ],
  ] as const;

  it.each(forgeries)("that is %s is refused with RESUME_TOKEN_INVALID", async (_, forge) => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    const error = await refusalOf(resumed(daemon, map.id, forge(token)));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "RESUME_TOKEN_INVALID" });
    expect(error.violations.map(({ field }) => field)).toEqual(["resume_token"]);
  });

  it("of another daemon is refused, though it is of the same map", async () => {
    const daemon = await startDaemon();
    const { map } = await watchedBefore(daemon);
    const other = await startDaemon();
    const watch = new WatchReader(other.client, watchRequest({ id: map.id }));
    await watch.synced();
    const error = await refusalOf(resumed(daemon, map.id, watch.token));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "RESUME_TOKEN_INVALID" });
  });

  const others = [
    ["filter", { filter: { keyPrefix: Buffer.of(1) } }],
    ["columns", { projection: Projection.KEYS }],
    ["previous values", { previousValues: true }],
  ] as const;

  it.each(others)("of a request with other %s is refused", async (_, more) => {
    const daemon = await startDaemon();
    const { map, token } = await watchedBefore(daemon);
    const error = await refusalOf(resumed(daemon, map.id, token, more));
    expect(error.reason).toBe("RESUME_TOKEN_INVALID");
  });
});
