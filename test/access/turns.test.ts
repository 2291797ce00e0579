import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { LookupElementsRequestSchema } from "@bpfmapd/client/proto";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { CallTurns } from "#dist/rpc/turns/call-turns.js";
import { TurnQueue } from "#dist/rpc/turns/turn-queue.js";
import { encoded } from "../rpc/support/raw-server.js";
import { frames, RawConnection } from "../service/support/raw-grpc.js";
import { KEY, stageMap } from "./support/guarded-daemon.js";
import { type LimitedDaemon, limitedDaemon } from "./support/limited-daemon.js";

const FLOOD = resolve(import.meta.dirname, "support/flood.mjs");

/** Who is served, in the order of their turns. */
function served(queue: TurnQueue): void {
  for (let turn = queue.take(); turn; turn = queue.take()) turn();
}

describe("the queue of turns", () => {
  it("goes round callers, of each round its connections, and of each in order", () => {
    const queue = new TurnQueue();
    const order: string[] = [];
    const add = (caller: string, connection: string, call: number) =>
      queue.add(caller, connection, () => order.push(`${connection}${call}`));
    for (const call of [1, 2, 3]) add("one", "a", call);
    add("one", "b", 1);
    for (const call of [1, 2]) add("two", "c", call);
    served(queue);
    expect(order).toEqual(["a1", "c1", "b1", "c2", "a2", "a3"]);
    expect(queue.isEmpty).toBe(true);
  });

  it("serves a caller that comes next after one call of each other, however many wait", () => {
    const queue = new TurnQueue();
    const order: string[] = [];
    for (let call = 0; call < 1000; call++) {
      for (const connection of ["a", "b", "c"])
        queue.add("flood", connection, () => order.push("flood"));
    }
    queue.take();
    queue.add("other", "d", () => order.push("other"));
    for (let turn = 0; turn < 4; turn++) queue.take()?.();
    expect(order.indexOf("other")).toBeLessThanOrEqual(1);
  });
});

describe("turns", () => {
  /** Keeps the event loop for longer than a slice. */
  function busy(): void {
    const until = performance.now() + 3;
    while (performance.now() < until);
  }

  it("serves at once what nobody is before", () => {
    expect(new CallTurns().isFree()).toBe(true);
    expect(new CallTurns().wait("one", "a")).toBeUndefined();
  });

  it("lets the event loop turn between slices, and then serves all in turns", async () => {
    const turns = new CallTurns();
    const order: string[] = [];
    const call = async (caller: string) => {
      await turns.wait(caller, caller);
      order.push(caller);
      busy();
    };
    const first = call("one");
    busy();
    const calls = [first, ...Array.from({ length: 4 }, () => call("one"))];
    const other = new Promise((resolve) => setTimeout(() => resolve(call("two")), 0));
    await first;
    expect(order).toEqual(["one"]);
    await Promise.all([...calls, other]);
    // The timer is due in the first turn of the loop or in the second, as others are.
    expect(order.indexOf("two")).toBeLessThanOrEqual(3);
  });

  it("serves every call once, those too that come while others are served", async () => {
    const turns = new CallTurns();
    const done = new Set<number>();
    const calls = Array.from({ length: 500 }, async (_, call) => {
      for (let again = 0; again < 3; again++) {
        const turn = turns.wait(`caller ${call % 7}`, call % 11);
        if (turn) await turn;
        if (call % 50 === 0) busy();
      }
      done.add(call);
    });
    await Promise.all(calls);
    expect(done.size).toBe(500);
  });
});

test("a call is served before most of those that another has sent at once before it", async () => {
  const limited = await limitedDaemon({});
  const map = await stageMap(limited, "tu_");
  const handle = limited.two.map({ id: map.id });
  await handle.lookup(KEY);
  const CALLS = 4000;
  const flood = await RawConnection.open(limited.daemon.socket);
  onTestFinished(() => flood.destroy());
  const headers = { authorization: `Bearer ${await limited.issuer.sign({ sub: "one" })}` };
  const ref = { ref: { case: "id", value: map.id } } as const;
  const body = frames(encoded(LookupElementsRequestSchema, { map: ref, keys: KEY, count: 1 }));
  let answered = 0;
  const calls = Array.from({ length: CALLS }, async () => {
    const { status } = await flood.call("bpfmap.v1.MapService/LookupElements", body, headers);
    answered++;
    return status;
  });
  for (let call = 0; call < 3; call++) await handle.lookup(KEY);
  expect(answered).toBeLessThan(CALLS / 2);
  expect(new Set(await Promise.all(calls))).toEqual(new Set([0]));
});

test("requests without a body are answered, too, when they have waited", async () => {
  const limited = await limitedDaemon({});
  const connection = await RawConnection.open(limited.daemon.socket);
  onTestFinished(() => connection.destroy());
  const headers = { authorization: `Bearer ${await limited.issuer.sign({ sub: "one" })}` };
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, () =>
      connection.call("bpfmap.v1.HostService/GetHost", Buffer.alloc(0), headers),
    ),
  );
  // What grpc-js says of a call with one request that has none.
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([12]));
});

/** A process that calls as fast as it can, as the caller "one". */
async function flood(limited: LimitedDaemon, mapId: number, kinds: string) {
  const token = await limited.issuer.sign({ sub: "one" });
  const args = [FLOOD, limited.daemon.socket, String(mapId), token, kinds];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async () => {
    child.stdin.write("?\n");
    return Number((await lines.next()).value);
  };
  while ((await ask()) < 500); // until it is in full flow
  return ask;
}

describe.each(["unary", "pipeline", "update", "unary,pipeline,update,dump"])(
  "beside a flood of another's calls (%s)",
  (kinds) => {
    it("every call is served before a bounded number of the other's", async () => {
      const limited = await limitedDaemon({});
      const map = await stageMap(limited, "tu_");
      const spec = { type: 1, name: "large", keySize: 4, valueSize: 8, maxEntries: 50_000 };
      const pinPath = `${limited.daemon.bpffs}/large`;
      const large = await limited.admin.maps.createMap({ spec, pinPath });
      const served = await flood(limited, large.map!.id, kinds);
      const CALLS = 100;
      const handle = limited.two.map({ id: map.id });
      await handle.lookup(KEY);
      const before = await served();
      for (let call = 0; call < CALLS; call++) await handle.lookup(KEY);
      const during = (await served()) - before;
      expect(during / CALLS).toBeLessThan(400);
    });
  },
);
