import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { BpfmapError, status } from "@bpfmapd/client";
import { DumpMapRequestSchema, LoadStrategy } from "@bpfmapd/client/proto";
import { describe, expect, test, vi } from "vitest";
import { deferred } from "../rpc/support/deferred.js";
import { http2Call } from "../rpc/support/http2-call.js";
import { encoded } from "../rpc/support/raw-server.js";
import { startDaemon } from "../support/daemon.js";
import { heldHash } from "./support/maps.js";

const stopping = { code: status.UNAVAILABLE, reason: "DAEMON_STOPPING" };

async function failureOf(work: Promise<unknown>): Promise<BpfmapError> {
  return work.then(() => expect.fail("did not fail"), BpfmapError.from);
}

describe("a daemon that is told to stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "by %s ends with 0 and removes its socket",
    async (signal) => {
      const daemon = await startDaemon({ logLevel: "info" });
      await daemon.client.host.getHost({});
      expect(await daemon.stop(signal)).toBe(0);
      expect(existsSync(daemon.socket)).toBe(false);
      const messages = daemon.logs.map(({ msg }) => msg);
      expect(messages.slice(-2)).toEqual(["stopping", "stopped"]);
    },
  );

  test("while it starts ends with 0 too", async () => {
    const daemon = await startDaemon({ logLevel: "info" });
    await daemon.stop();
    daemon.restart().catch(() => {});
    await vi.waitFor(() => expect(existsSync(daemon.socket)).toBe(true), { timeout: 20_000 });
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("ends dumps and loads with UNAVAILABLE DAEMON_STOPPING, and a cut REPLACE removes nothing", async () => {
    const daemon = await startDaemon();
    const { client } = daemon;
    const map = await heldHash(client, "dumped", 10_000);
    const target = await heldHash(client, "replaced", 100);

    const dumping = deferred();
    const dump = failureOf(
      (async () => {
        for await (const _ of client.maps.dumpMap({ map: map.ref, maxElementsPerSecond: 100 })) {
          dumping.resolve();
        }
      })(),
    );
    const loading = deferred();
    const never = deferred();
    const load = failureOf(
      client.maps.loadMap(
        (async function* () {
          const start = { map: target.ref, strategy: LoadStrategy.REPLACE };
          yield { kind: { case: "start", value: start } } as const;
          loading.resolve();
          await never.promise;
        })(),
      ),
    );
    await Promise.all([dumping.promise, loading.promise]);

    expect(await daemon.stop()).toBe(0);
    expect(await dump).toMatchObject(stopping);
    expect(await load).toMatchObject(stopping);
    never.resolve();

    await daemon.restart();
    expect((await client.map({ held: "replaced" }).count()).count).toBe(100n);
  });

  test("keeps its held maps", async () => {
    const daemon = await startDaemon();
    const map = await heldHash(daemon.client, "kept", 3);
    await daemon.restart();
    expect((await map.count()).count).toBe(3n);
    expect(readdirSync(daemon.bpffs)).toContain("bpfmapd");
  });

  test("waits no longer than its patience for a client that does not read", async () => {
    const daemon = await startDaemon({ args: ["--shutdown-grace-ms", "300"] });
    await heldHash(daemon.client, "big", 1_000_000);
    await stalledDump(daemon.socket);
    expect(await daemon.stop()).toBe(0);
  });

  test("ends at once when told twice", async () => {
    const daemon = await startDaemon({ args: ["--shutdown-grace-ms", "86400000"] });
    await heldHash(daemon.client, "big", 1_000_000);
    await stalledDump(daemon.socket);
    process.kill(daemon.pid, "SIGTERM");
    while (existsSync(daemon.socket)) await delay(10); // it has heard the first
    expect(await daemon.stop()).toBe(1);
  });
});

/** A dump of the map "big" that has begun and whose client then reads no more. */
async function stalledDump(socket: string) {
  const request = encoded(DumpMapRequestSchema, { map: { ref: { case: "held", value: "big" } } });
  const call = http2Call(socket, "DumpMap", request);
  await once(call.stream, "response");
  return call;
}
