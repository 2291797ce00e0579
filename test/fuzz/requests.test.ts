import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MapService } from "@bpfmapd/client/proto";
import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, describe, expect, it, vi } from "vitest";
import { fdCount, openMaps, residentBytes, threadCount } from "../service/support/daemon-state.js";
import { RawConnection } from "../service/support/raw-grpc.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { policyFile } from "../support/policy.js";
import { Campaign, type Tally } from "./support/campaign.js";
import { HOLDS } from "./support/field-makers.js";
import { ONLY, REQUESTS, SEED } from "./support/fuzz-size.js";
import { FuzzStage, PREFIX } from "./support/fuzz-stage.js";
import { rpcName, servedRpcs } from "./support/served-rpcs.js";

/** Share of the requests that go as messages of MapService.Pipeline. */
const PIPELINED = 0.3;
/** More than what waits for the garbage collector, less than 500 bytes for each request. */
const SLACK_BYTES = Math.max(96 << 20, 500 * REQUESTS);
/** So small that what is kept of each request, by a leak, soon ends the daemon. */
const HEAP_MIB = 256;
const SLOWLY = { timeout: 40_000, interval: 50 };
/** What a thread takes that only watches start. */
const WATCH_THREAD = { files: 8, threads: 2 };

const directory = mkdtempSync(join(tmpdir(), "bpfmapd-fuzz-"));

/**
 * A daemon that asks for everything whether it may be done, and tells it in an audit. Its
 * policy leaves to the requests what begins with the prefix, and nothing of other tests.
 */
function guardedDaemon(): Promise<TestDaemon> {
  const policy = `
version: 1
identities: {fuzzer: [{uid: [0]}]}
rules: [{identities: [fuzzer], verbs: all, maps: {names: ["${PREFIX}*"]}}]
`;
  return startDaemon({
    args: [
      ...["--policy", policyFile(policy, directory), "--audit-file", join(directory, "audit")],
      ...["--metrics-listen", `unix:${directory}/metrics.sock`, "--scan-threads", "1"],
    ],
    env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` },
  });
}

const daemon = await guardedDaemon();
const connection = await RawConnection.open(daemon.socket);
const RPCS = watchFirst(await servedRpcs(connection));
connection.destroy();

afterAll(async () => {
  await daemon.dispose();
  rmSync(directory, { recursive: true });
});

/** What a watch has learnt is kept for half a minute after it, which then goes by meanwhile. */
function watchFirst(rpcs: readonly DescMethod[]): DescMethod[] {
  const isWatch = ({ name }: DescMethod) => name === "Watch";
  return [...rpcs.filter(isWatch), ...rpcs.filter((rpc) => !isWatch(rpc))];
}

/** How many to send: more to a pipeline, as a stream that ends early has answered only some. */
const shareOf = (name: string) =>
  Math.ceil(
    name.endsWith("/Pipeline")
      ? REQUESTS * PIPELINED * 1.3
      : (REQUESTS * (1 - PIPELINED)) / (RPCS.length - 1),
  );

/** Sends requests to an RPC on maps of their own, which go again. */
async function shower(name: string, requests: number): Promise<{ stage: FuzzStage; tally: Tally }> {
  const rpc = RPCS.find((one) => rpcName(one) === name)!;
  const stage = await FuzzStage.set(daemon);
  if (/\/(ReleaseMap|KeepAlive)$/.test(name)) await stage.holdUnder(HOLDS);
  const campaign = new Campaign(daemon.socket);
  try {
    return { stage, tally: await campaign.run(rpc, stage, requests) };
  } finally {
    campaign.close();
    await stage.strike();
  }
}

const state = () => ({
  files: fdCount(daemon.pid),
  threads: threadCount(daemon.pid),
  resident: residentBytes(daemon.pid),
});

/** What the daemon complains of. A disk that is slow, for its audit, is not its own affair. */
const complaints = () =>
  daemon.logs.filter(({ level, msg }) => level !== "info" && !msg.startsWith("the audit log can"));

/** What the daemon has once its threads run, which it must not have more of after it all. */
let settled: ReturnType<typeof state>;
let sent = 0;

describe(`random requests of seed ${SEED}`, () => {
  it("wake the daemon's threads, which then stay", async () => {
    const { dumpMap, readRecords } = MapService.method;
    for (const rpc of [dumpMap, readRecords]) await shower(rpcName(rpc), 300);
    settled = state();
  }, 120_000);

  it.each(RPCS.map(rpcName))(
    "to %s are all answered as the contract says, and leave nothing over",
    async (name) => {
      if (ONLY !== undefined && !ONLY.startsWith(`${name}#`)) return;
      const before = complaints().length;
      const { stage, tally } = await shower(name, shareOf(name));
      sent += tally.requests;
      if (process.env.SHOW) console.log(name, tally.requests, [...tally.statuses]);
      if (ONLY === undefined) expect(tally.answered, "calls that were good").toBeGreaterThan(0);
      await vi.waitFor(() => {
        const { pins, maps } = stage.leftovers();
        expect({ pins, maps }).toEqual({ pins: [], maps: [] });
      }, SLOWLY);
      expect(complaints().slice(before)).toEqual([]);
    },
    600_000,
  );

  it("are as many as were asked for, and the daemon has no more of anything than before", async () => {
    if (ONLY !== undefined) return;
    expect(sent).toBeGreaterThanOrEqual(REQUESTS);
    await vi.waitFor(() => {
      const { files, threads, resident } = state();
      expect(openMaps(daemon.pid)).toEqual([]);
      expect(files).toBeLessThanOrEqual(settled.files + WATCH_THREAD.files);
      expect(threads).toBeLessThanOrEqual(settled.threads + WATCH_THREAD.threads);
      expect(resident).toBeLessThan(settled.resident + SLACK_BYTES);
    }, SLOWLY);
    expect((await daemon.client.host.getHost({})).host?.bootId).not.toBe("");
  }, 120_000);
});
