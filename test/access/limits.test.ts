import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createConnection } from "node:net";
import type { BpfmapClient } from "@bpfmapd/client";
import {
  DumpMapRequestSchema,
  LoadMapRequestSchema,
  LookupElementsRequestSchema,
  type PipelineRequest,
  WatchRequestSchema,
} from "@bpfmapd/client/proto";
import { status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { http2Call } from "../rpc/support/http2-call.js";
import { encoded } from "../rpc/support/raw-server.js";
import { startDaemon } from "../support/daemon.js";
import { KEY, type StagedMap, stageMap, VALUE } from "./support/guarded-daemon.js";
import {
  exceeded,
  failureOf,
  type LimitedDaemon,
  limitedDaemon,
  retryDelayMs,
} from "./support/limited-daemon.js";

const byId = ({ id }: { id: number }) => ({ ref: { case: "id", value: id } }) as const;
/** How long what frees a limit may take to be noticed, on a machine that is busy. */
const SOON = { timeout: 30_000 };
const SPEC = { type: 1, keySize: 4, valueSize: 8, maxEntries: 16 };

/** A stream of requests that stays open until it is told to end. */
function openRequests<T>(first: readonly T[] = []) {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  async function* requests() {
    yield* first;
    await ended;
  }
  onTestFinished(end);
  return { requests: requests(), end };
}

/** A pipeline that has answered a call, and stays open. */
async function openPipeline(client: BpfmapClient, map: StagedMap) {
  const value = { map: byId(map), keys: KEY, count: 1 };
  const call = { call: { case: "lookupElements", value } } as unknown as PipelineRequest;
  const { requests, end } = openRequests([call]);
  const answers = client.maps.pipeline(requests)[Symbol.asyncIterator]();
  await answers.next();
  return async () => {
    end();
    await answers.next();
  };
}

/** A load that has begun, and stays open. */
function openLoad(client: BpfmapClient, map: StagedMap) {
  const start = { kind: { case: "start", value: { map: byId(map) } } } as const;
  const { requests, end } = openRequests([start]);
  const result = failureOf(client.maps.loadMap(requests));
  return { result, end };
}

/** As many numbers as keys and values of a map. */
function elements(count: number) {
  const keys = Buffer.alloc(count * 4);
  for (let key = 0; key < count; key++) keys.writeUInt32LE(key, key * 4);
  return { count, keys, values: Buffer.alloc(count * 8, 1) };
}

/** A map with so many elements. */
async function fullMap(
  { admin, bpffs }: Pick<LimitedDaemon, "admin"> & { bpffs: string },
  count: number,
) {
  const spec = { ...SPEC, name: "full", maxEntries: count };
  const made = await admin.maps.createMap({ spec, pinPath: `${bpffs}/full` });
  const map = { ref: { case: "id", value: made.map!.id } } as const;
  await admin.maps.loadMap(
    (async function* () {
      yield { kind: { case: "start", value: { map } } } as const;
      yield { kind: { case: "elements", value: elements(count) } } as const;
    })(),
  );
  return map;
}

describe("connections", () => {
  it("closes one more, until another is closed", async () => {
    const limited = await limitedDaemon({ default: { connections: 5 } });
    await limited.admin.host.getHost({}); // one more of the same user
    const open = async () => {
      const session = connectHttp2("http://localhost", {
        createConnection: () => createConnection(limited.daemon.socket),
      });
      onTestFinished(() => session.destroy());
      session.on("error", () => {});
      const closed = new Promise((resolve) => session.once("close", () => resolve("closed")));
      const answered = new Promise((resolve) =>
        session.once("remoteSettings", () => resolve("answered")),
      );
      return { session, outcome: await Promise.race([closed, answered]) };
    };
    const sessions = [];
    for (let count = 0; count < 4; count++) sessions.push(await open());
    expect(sessions.map(({ outcome }) => outcome)).toEqual(Array(4).fill("answered"));
    expect((await open()).outcome).toBe("closed");
    await limited.admin.host.getHost({});
    sessions[0]?.session.destroy();
    await expect.poll(async () => (await open()).outcome, SOON).toBe("answered");
  });
});

describe("calls_per_second", () => {
  it("refuses calls past it, and tells when to call again", async () => {
    const { one, two } = await limitedDaemon({ one: { calls_per_second: 3 } });
    const calls = await Promise.all(
      Array.from({ length: 200 }, () => failureOf(one.host.getHost({}))),
    );
    const refused = calls.filter((failure) => failure !== undefined);
    expect(calls.length - refused.length).toBeGreaterThanOrEqual(3);
    expect(refused.length).toBeGreaterThan(0);
    for (const failure of refused) expect(failure).toEqual(exceeded("calls_per_second", 3));
    const delay = retryDelayMs(refused[0]);
    expect(delay).toBeGreaterThan(0);
    expect(delay).toBeLessThanOrEqual(1000);
    await two.host.getHost({});
    await expect.poll(() => failureOf(one.host.getHost({})), SOON).toBeUndefined();
  });

  it("counts the calls of a pipeline, and of all connections together", async () => {
    const limited = await limitedDaemon({ one: { calls_per_second: 20 } });
    const map = await stageMap(limited, "li_");
    const value = { map: byId(map), keys: KEY, count: 1 };
    const call = { call: { case: "lookupElements", value } } as const;
    const clients = [limited.one, await limited.as("one"), await limited.as("one")];
    const answered = await Promise.all(
      clients.map(async (client) => {
        const cases: (string | undefined)[] = [];
        const requests = (async function* () {
          for (let index = 0; index < 100; index++) yield call;
        })();
        for await (const { answer } of client.maps.pipeline(requests)) cases.push(answer.case);
        return cases;
      }),
    );
    const all = answered.flat();
    expect(all.filter((one) => one === "error").length).toBeGreaterThan(all.length / 2);
  });
});

describe("calls", () => {
  it("refuses more at a time, until one is over, however that comes", async () => {
    const limited = await limitedDaemon({ one: { calls: 2 } });
    const authorization = `Bearer ${await limited.issuer.sign({ sub: "one" })}`;
    // Calls whose request does not come are in flight for as long as one likes.
    const open = [1, 2].map(() =>
      http2Call(limited.daemon.socket, "GetMap", [], { authorization }),
    );
    const call = () => failureOf(limited.one.host.getHost({}));
    await expect.poll(call, SOON).toEqual(exceeded("calls", 2));
    expect(retryDelayMs(await call())).toBeGreaterThan(0);
    await limited.two.host.getHost({});
    open[0]?.session.destroy();
    await expect.poll(call, SOON).toBeUndefined();
    open[1]?.stream.close();
    await expect.poll(call, SOON).toBeUndefined();
  });
});

describe("streams", () => {
  it("refuses one more, whatever it is, until one has ended", async () => {
    const limited = await limitedDaemon({ one: { streams: 2 } });
    const map = await stageMap(limited, "li_");
    const end = await openPipeline(limited.one, map);
    await openPipeline(await limited.as("one"), map);
    const watch = () =>
      failureOf(
        limited.one.maps
          .watch({ map: byId(map) })
          [Symbol.asyncIterator]()
          .next(),
      );
    expect(await watch()).toEqual(exceeded("streams", 2));
    expect(await openLoad(limited.one, map).result).toEqual(exceeded("streams", 2));
    await limited.one.map({ id: map.id }).lookup(KEY);
    await openPipeline(limited.two, map);
    await end();
    await expect.poll(() => openPipeline(limited.one, map).then(() => "open"), SOON).toBe("open");
  });
});

describe("scans", () => {
  it("refuses one more dump, load, count or clear, and changes nothing", async () => {
    const limited = await limitedDaemon({ one: { scans: 1 } });
    const map = await stageMap(limited, "li_");
    const { one, two } = limited;
    const load = openLoad(one, map);
    const count = () => failureOf(one.maps.countElements({ map: byId(map) }));
    await expect.poll(count, SOON).toEqual(exceeded("scans", 1));
    expect(await failureOf(one.maps.clearMap({ map: byId(map) }))).toEqual(exceeded("scans", 1));
    expect(await two.map({ id: map.id }).lookup(KEY)).toEqual(VALUE);
    expect((await two.maps.countElements({ map: byId(map) })).count).toBe(1n);
    load.end();
    expect(await load.result).toBeUndefined();
    await expect.poll(count, SOON).toBeUndefined();
  });

  it("are bounded for each user of the unix socket where there is no policy", async () => {
    const { client } = await startDaemon();
    const { map } = await client.maps.createMap({
      spec: { ...SPEC, name: "free" },
      hold: { name: "free" },
    });
    const staged = { id: map!.id, name: "free", pin: "" };
    const loads = Array.from({ length: 48 }, () => openLoad(client, staged));
    const count = () => failureOf(client.maps.countElements({ map: byId(staged) }));
    await expect.poll(count, SOON).toEqual(exceeded("scans", 48, "uid 0"));
    for (const { end } of loads) end();
    for (const { result } of loads) expect(await result).toBeUndefined();
    await expect.poll(count, SOON).toBeUndefined();
  });
});

describe("watches", () => {
  it("refuses one more, until one has ended", async () => {
    const limited = await limitedDaemon({ one: { watches: 1 } });
    const map = await stageMap(limited, "li_");
    const open = async (client: BpfmapClient) => {
      const watch = client.maps.watch({ map: byId(map) })[Symbol.asyncIterator]();
      onTestFinished(() => void watch.return?.());
      return { watch, first: await failureOf(watch.next()) };
    };
    const { watch } = await open(limited.one);
    expect((await open(limited.one)).first).toEqual(exceeded("watches", 1));
    expect((await open(limited.two)).first).toBeUndefined();
    await watch.return?.();
    await expect.poll(async () => (await open(limited.one)).first, SOON).toBeUndefined();
  });
});

describe("watched_bytes", () => {
  it("ends watches of maps that take more, and goes by what they take together", async () => {
    const limited = await limitedDaemon({ one: { watched_bytes: "64KiB" } });
    const { bpffs } = limited.daemon;
    const large = await fullMap({ ...limited, bpffs }, 20_000);
    const small = await stageMap(limited, "li_");
    const limit = exceeded("watched_bytes", 64 * 1024);
    const snapshot = async (client: BpfmapClient, map: ReturnType<typeof byId>) => {
      for await (const { kind } of client.maps.watch({ map })) {
        if (kind.case === "bookmark") return;
      }
    };
    expect(await failureOf(snapshot(limited.one, large))).toEqual(limit);
    await snapshot(limited.two, large);
    await snapshot(limited.one, byId(small));
  });
});

describe("held_maps", () => {
  it("refuses one more hold, and leaves nothing of what was asked for", async () => {
    const limited = await limitedDaemon({ one: { held_maps: 2 } });
    const { one, two, daemon } = limited;
    const create = (client: BpfmapClient, name: string) =>
      failureOf(
        client.maps.createMap({
          spec: { ...SPEC, name },
          hold: { name },
          pinPath: `${daemon.bpffs}/${name}`,
        }),
      );
    const names = async () =>
      (await two.maps.listMaps({ filter: { nameGlob: "hm_*" } })).maps.map(({ name }) => name);
    expect(await create(one, "hm_a")).toBeUndefined();
    expect(await create(one, "hm_b")).toBeUndefined();
    expect(await create(one, "hm_c")).toEqual(exceeded("held_maps", 2));
    expect(await names()).toEqual(["hm_a", "hm_b"]);
    const pinned = { pinPath: `${daemon.bpffs}/hm_c` };
    expect(await failureOf(two.map(pinned).get())).toMatchObject({ reason: "PIN_NOT_FOUND" });
    const another = await limited.as("one");
    const hold = (name: string) =>
      failureOf(
        another.maps.holdMap({ map: { ref: { case: "held", value: "hm_a" } }, hold: { name } }),
      );
    expect(await hold("hm_d")).toEqual(exceeded("held_maps", 2));
    expect(await hold("hm_a")).toBeUndefined(); // renews what is there
    expect(await create(two, "hm_e")).toBeUndefined();
    await two.maps.releaseMap({ name: "hm_b" });
    expect(await create(one, "hm_c")).toBeUndefined();
    expect(await create(one, "hm_f")).toEqual(exceeded("held_maps", 2));
  });

  it("counts a hold no more whose lease has run out", async () => {
    const { one } = await limitedDaemon({ one: { held_maps: 1 } });
    const lease = { seconds: 1n, nanos: 0 };
    const create = (name: string) =>
      failureOf(one.maps.createMap({ spec: { ...SPEC, name }, hold: { name, lease } }));
    expect(await create("hm_a")).toBeUndefined();
    expect(await create("hm_b")).toEqual(exceeded("held_maps", 1));
    await expect.poll(() => create("hm_b"), SOON).toBeUndefined();
  });
});

describe("elements_per_second", () => {
  it("refuses writes past it, changes nothing, and tells when to write again", async () => {
    const limited = await limitedDaemon({ one: { elements_per_second: 4 } });
    const map = await stageMap(limited, "li_");
    const { one, two } = limited;
    const write = (client: BpfmapClient, count: number) =>
      failureOf(client.maps.updateElements({ map: byId(map), elements: elements(count) }));
    // More than a second's worth is owed, so that no call is too large for good.
    expect(await write(one, 16)).toBeUndefined();
    await two.maps.clearMap({ map: byId(map) });
    const failure = await write(one, 1);
    expect(failure).toEqual(exceeded("elements_per_second", 4));
    expect(retryDelayMs(failure)).toBeGreaterThan(0);
    expect((await two.maps.countElements({ map: byId(map) })).count).toBe(0n);
    const create = one.maps.createMap({
      spec: { ...SPEC, name: "li_new" },
      hold: { name: "li_new" },
      initialElements: elements(1),
    });
    expect(await failureOf(create)).toEqual(exceeded("elements_per_second", 4));
    expect((await two.maps.listMaps({ filter: { nameGlob: "li_new" } })).maps).toEqual([]);
    expect(await write(two, 16)).toBeUndefined();
    await one.map({ id: map.id }).lookup(KEY);
    await expect.poll(() => write(one, 1), { ...SOON, interval: 200 }).toBeUndefined();
  });

  it("slows loads down, which write all of their elements", async () => {
    const limited = await limitedDaemon({ one: { elements_per_second: 20 } });
    const map = await stageMap(limited, "li_");
    const result = await limited.one.maps.loadMap(
      (async function* () {
        yield { kind: { case: "start", value: { map: byId(map) } } } as const;
        for (let chunk = 0; chunk < 3; chunk++) {
          yield { kind: { case: "elements", value: elements(15) } } as const;
        }
      })(),
    );
    expect(result).toMatchObject({ received: 45n, written: 45n });
  });
});

describe("bytes_in_flight", () => {
  const KIB = 1024;

  it("refuses calls while answers that are not read take up too much, and no stream", async () => {
    const limited = await limitedDaemon({ one: { bytes_in_flight: "64KiB" } });
    const { daemon, one, two } = limited;
    const large = await fullMap({ ...limited, bpffs: daemon.bpffs }, 200_000);
    const map = await stageMap(limited, "li_");
    const write = (client: BpfmapClient) =>
      failureOf(client.maps.updateElements({ map: byId(map), elements: elements(16) }));
    const authorization = `Bearer ${await limited.issuer.sign({ sub: "one" })}`;
    const request = encoded(DumpMapRequestSchema, { map: large, chunkBytes: 512 * KIB });
    const { stream } = http2Call(daemon.socket, "DumpMap", request, { authorization });
    await expect.poll(() => write(one), SOON).toEqual(exceeded("bytes_in_flight", 64 * KIB));
    expect(retryDelayMs(await write(one))).toBeGreaterThan(0);
    expect(await write(two)).toBeUndefined();
    const load = openLoad(one, map);
    load.end();
    let bytes = 0;
    for await (const part of stream) bytes += (part as Buffer).length;
    expect(bytes).toBeGreaterThan(200_000 * 12);
    expect(await load.result).toBeUndefined();
    await expect.poll(() => write(one), SOON).toBeUndefined();
  });

  it("lets a message through that is alone, however large", async () => {
    const limited = await limitedDaemon({ one: { bytes_in_flight: 64 } });
    const map = await stageMap(limited, "li_");
    await limited.one.maps.updateElements({ map: byId(map), elements: elements(16) });
  });
});

describe("limits", () => {
  it("follow the policy within a second, also of one who is connected", async () => {
    const limited = await limitedDaemon({ one: { held_maps: 0 } });
    const create = (name: string) =>
      failureOf(limited.one.maps.createMap({ spec: { ...SPEC, name }, hold: { name } }));
    expect(await create("po_a")).toEqual(exceeded("held_maps", 0));
    limited.setLimits({ one: { held_maps: 1 } });
    await expect.poll(() => create("po_a"), SOON).toBeUndefined();
    expect(await create("po_b")).toEqual(exceeded("held_maps", 1));
    limited.setLimits({});
    await expect.poll(() => create("po_b"), SOON).toBeUndefined();
  });

  it("of the default are for all who have none of their own, each by itself", async () => {
    const limited = await limitedDaemon({ default: { watches: 0 }, two: { scans: 1 } });
    const map = await stageMap(limited, "li_");
    const watch = (client: BpfmapClient) =>
      failureOf(
        client.maps
          .watch({ map: byId(map) })
          [Symbol.asyncIterator]()
          .next(),
      );
    expect(await watch(limited.one)).toEqual(exceeded("watches", 0));
    expect(await watch(limited.two)).toEqual(exceeded("watches", 0, "token of two"));
  });

  it("are free again when clients vanish", async () => {
    const limited = await limitedDaemon({ one: { calls: 50, streams: 6, scans: 4, watches: 2 } });
    const map = await stageMap(limited, "li_");
    const token = await limited.issuer.sign({ sub: "one" });
    const headers = { authorization: `Bearer ${token}` };
    const lookup = encoded(LookupElementsRequestSchema, { map: byId(map), keys: KEY, count: 1 });
    const start = encoded(LoadMapRequestSchema, {
      kind: { case: "start", value: { map: byId(map) } },
    });
    const watchRequest = encoded(WatchRequestSchema, { map: byId(map) });
    for (let round = 0; round < 10; round++) {
      const calls = [
        http2Call(limited.daemon.socket, "LoadMap", [start], headers),
        http2Call(limited.daemon.socket, "LoadMap", [start, start], headers),
        http2Call(limited.daemon.socket, "LookupElements", lookup, headers),
        http2Call(limited.daemon.socket, "Pipeline", [], headers),
        http2Call(limited.daemon.socket, "Watch", watchRequest, headers),
      ];
      // Answered, or refused where those of the round before are not gone yet.
      await once(calls.at(-1)!.stream, "response");
      for (const { session } of calls) session.destroy();
    }
    const all = async () => {
      const loads = Array.from({ length: 4 }, () => openLoad(limited.one, map));
      for (const { end } of loads) end();
      const results = await Promise.all(loads.map(({ result }) => result));
      return results.filter((failure) => failure?.code === status.RESOURCE_EXHAUSTED).length;
    };
    await expect.poll(all, SOON).toBe(0);
  });
});
