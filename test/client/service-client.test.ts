import { getEventListeners } from "node:events";
import { type BpfmapClient, BpfmapError, status } from "@bpfmapd/client";
import { describe, expect, it } from "vitest";
import { type Behaviour, failure, serve } from "./support/canned-server.js";
import { deferred } from "./support/deferred.js";
import { standsStill } from "./support/rounds.js";

const REQUEST = { map: { ref: { case: "id", value: 1 } } } as const;
const START = { kind: { case: "start", value: REQUEST } } as const;

/** The request after the start, again and again. */
function chunk(bytes: number) {
  const elements = { count: 1, keys: new Uint8Array(4), values: new Uint8Array(bytes) };
  return { kind: { case: "elements", value: elements } } as const;
}

describe("a unary call", () => {
  it("is cancelled on the server by its signal, whose reason becomes the cause", async () => {
    const arrived = deferred<void>();
    const cancelled = deferred<void>();
    const { client } = await serve({
      getMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        arrived.resolve();
      },
    });
    const controller = new AbortController();
    const answer = client.maps.getMap(REQUEST, { signal: controller.signal });
    await arrived.promise;
    controller.abort("no longer needed");
    await expect(answer).rejects.toMatchObject({
      name: "BpfmapError",
      code: status.CANCELLED,
      cause: "no longer needed",
    });
    await cancelled.promise;
  });

  it("is not made where the signal has fired already", async () => {
    const { client } = await serve({ getMap: () => expect.unreachable("nothing was to be sent") });
    const answer = client.maps.getMap(REQUEST, { signal: AbortSignal.abort("before") });
    await expect(answer).rejects.toMatchObject({ code: status.CANCELLED, cause: "before" });
  });

  it("leaves nothing behind on its signal", async () => {
    const { client } = await serve({ getMap: (_call, callback) => callback(null, {}) });
    const { signal } = new AbortController();
    await client.maps.getMap(REQUEST, { signal });
    await client.maps.listMaps({}, { signal }).catch(() => {});
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("answers with plain bytes, not with Buffers", async () => {
    const { client } = await serve({
      nextKey: (_call, callback) => callback(null, { nextKey: Uint8Array.of(1, 2) }),
    });
    const { nextKey } = await client.maps.nextKey(REQUEST);
    expect(nextKey.constructor).toBe(Uint8Array);
    expect(nextKey).toEqual(Uint8Array.of(1, 2));
  });
});

describe("a server stream", () => {
  const progress = (sent: number) =>
    ({ kind: { case: "progress", value: { sent: BigInt(sent) } } }) as const;

  /** A server that sends `count` messages and then nothing, and tells when it was cancelled. */
  async function endless(count: number) {
    const cancelled = deferred<void>();
    const { client } = await serve({
      dumpMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        for (let sent = 1; sent <= count; sent += 1) call.write(progress(sent));
      },
    });
    return { client, cancelled: cancelled.promise };
  }

  it("gives every message in order and ends", async () => {
    const { client } = await serve({
      dumpMap: (call) => {
        for (let sent = 1; sent <= 100; sent += 1) call.write(progress(sent));
        call.end();
      },
    });
    const seen = [];
    for await (const { kind } of client.maps.dumpMap(REQUEST)) {
      if (kind.case === "progress") seen.push(Number(kind.value.sent));
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it("gives the messages that came before an error, then the error, then ends", async () => {
    const { client } = await serve({
      dumpMap: (call) => {
        call.write(progress(1));
        call.write(progress(2));
        call.emit("error", failure(status.ABORTED, "busy", { reason: "MAP_CONTENDED" }));
      },
    });
    const stream = client.maps.dumpMap(REQUEST);
    expect((await stream.next()).value?.kind.case).toBe("progress");
    expect((await stream.next()).value?.kind.case).toBe("progress");
    await expect(stream.next()).rejects.toMatchObject({ reason: "MAP_CONTENDED" });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    [
      "break",
      async (client: BpfmapClient) => {
        for await (const _message of client.maps.dumpMap(REQUEST)) break;
      },
    ],
    [
      "an exception in the loop",
      async (client: BpfmapClient) => {
        const loop = async () => {
          for await (const _message of client.maps.dumpMap(REQUEST)) throw new Error("mine");
        };
        await expect(loop()).rejects.toThrow("mine");
      },
    ],
    [
      "throw()",
      async (client: BpfmapClient) => {
        const stream = client.maps.dumpMap(REQUEST);
        await stream.next();
        await expect(stream.throw(new Error("mine"))).rejects.toThrow("mine");
        expect((await stream.next()).done).toBe(true);
      },
    ],
    [
      "return() while next() waits",
      async (client: BpfmapClient) => {
        const stream = client.maps.dumpMap(REQUEST);
        await stream.next();
        const waiting = [stream.next(), stream.next()];
        expect((await stream.return()).done).toBe(true);
        expect((await Promise.all(waiting)).map(({ done }) => done)).toEqual([true, true]);
      },
    ],
    [
      "its signal while next() waits",
      async (client: BpfmapClient) => {
        const controller = new AbortController();
        const { signal } = controller;
        const stream = client.maps.dumpMap(REQUEST, { signal });
        await stream.next();
        const waiting = stream.next();
        controller.abort("enough");
        await expect(waiting).rejects.toMatchObject({ code: status.CANCELLED, cause: "enough" });
        expect(getEventListeners(signal, "abort")).toEqual([]);
      },
    ],
  ])("is cancelled on the server by %s", async (_how, leave) => {
    const { client, cancelled } = await endless(1);
    await leave(client);
    await cancelled;
  });

  it("gives nothing that was read ahead once its signal has fired", async () => {
    const { client, cancelled } = await endless(10);
    const controller = new AbortController();
    const stream = client.maps.dumpMap(REQUEST, { signal: controller.signal });
    await stream.next();
    controller.abort();
    await cancelled;
    await expect(stream.next()).rejects.toMatchObject({ code: status.CANCELLED });
  });

  it("answers several next() at once in order", async () => {
    const { client } = await endless(5);
    const stream = client.maps.dumpMap(REQUEST);
    const answers = await Promise.all(Array.from({ length: 5 }, () => stream.next()));
    const seen = answers.map(
      ({ value }) => value?.kind.case === "progress" && value.kind.value.sent,
    );
    expect(seen).toEqual([1n, 2n, 3n, 4n, 5n]);
    await stream.return();
  });

  it("makes no call before it is read", async () => {
    const { client } = await serve({ dumpMap: () => expect.unreachable("no call was to be made") });
    const stream = client.maps.dumpMap(REQUEST);
    await stream.return();
    expect((await stream.next()).done).toBe(true);
    await expect(client.maps.getMap(REQUEST)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe("a client stream", () => {
  const count: Behaviour = {
    loadMap: (call, callback) => {
      let received = 0;
      call.on("data", () => {
        received += 1;
      });
      call.on("end", () => callback(null, { received: BigInt(received) }));
    },
  };

  it("sends every request and returns the answer", async () => {
    const { client } = await serve(count);
    async function* requests() {
      yield START;
      for (let sent = 0; sent < 200; sent += 1) yield chunk(100);
    }
    expect((await client.maps.loadMap(requests())).received).toBe(201n);
  });

  it("asks for no more requests than a slow server takes, and goes on when it does", async () => {
    const go = deferred<void>();
    const { client } = await serve({
      loadMap: (call, callback) => {
        let received = 0;
        call.once("data", () => {
          received += 1;
          call.pause();
          go.promise.then(() => {
            call.on("data", () => {
              received += 1;
            });
            call.resume();
          });
        });
        call.on("end", () => callback(null, { received: BigInt(received) }));
      },
      getHost: (_call, callback) => callback(null, {}),
    });
    const total = 400;
    let asked = 0;
    async function* requests() {
      yield START;
      for (; asked < total; asked += 1) yield chunk(256 * 1024);
    }
    const answer = client.maps.loadMap(requests());
    await standsStill(client, () => asked);
    expect(asked).toBeLessThan(total / 2);
    go.resolve();
    expect((await answer).received).toBe(BigInt(total + 1));
  });

  it("stops asking for requests when the server ends the call, even while it waits to write", async () => {
    const { client } = await serve({
      loadMap: (call, callback) => {
        // Reads nothing more, so that the client's buffers are full by then.
        call.once("data", () => call.pause());
        setImmediate(() =>
          callback(failure(status.NOT_FOUND, "gone", { reason: "MAP_NOT_FOUND" })),
        );
      },
    });
    const ended = deferred<void>();
    async function* requests() {
      try {
        yield START;
        for (;;) yield chunk(1024 * 1024);
      } finally {
        ended.resolve();
      }
    }
    await expect(client.maps.loadMap(requests())).rejects.toMatchObject({
      reason: "MAP_NOT_FOUND",
    });
    await ended.promise;
  });

  it("is cancelled on the server by its signal, even while it waits to write", async () => {
    const cancelled = deferred<void>();
    const { client } = await serve({
      loadMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        call.once("data", () => call.pause());
      },
      getHost: (_call, callback) => callback(null, {}),
    });
    let asked = 0;
    const ended = deferred<void>();
    async function* requests() {
      try {
        yield START;
        for (;;) {
          asked += 1;
          yield chunk(1024 * 1024);
        }
      } finally {
        ended.resolve();
      }
    }
    const controller = new AbortController();
    const answer = client.maps.loadMap(requests(), { signal: controller.signal });
    const failed = expect(answer).rejects.toMatchObject({ code: status.CANCELLED, cause: "stop" });
    await standsStill(client, () => asked);
    controller.abort("stop");
    await failed;
    await ended.promise;
    await cancelled.promise;
  });

  it("ends at its signal while the requests themselves wait", async () => {
    const { client } = await serve(count);
    const waiting = deferred<void>();
    async function* requests() {
      yield START;
      waiting.resolve();
      await new Promise(() => {});
    }
    const controller = new AbortController();
    const answer = client.maps.loadMap(requests(), { signal: controller.signal });
    const failed = expect(answer).rejects.toMatchObject({ code: status.CANCELLED });
    await waiting.promise;
    controller.abort();
    await failed;
  });

  it("cancels the call and passes the error on where the requests throw", async () => {
    const arrived = deferred<void>();
    const cancelled = deferred<void>();
    const { client } = await serve({
      loadMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        call.on("data", () => arrived.resolve());
      },
    });
    const mine = new Error("mine");
    async function* requests() {
      yield START;
      await arrived.promise;
      throw mine;
    }
    await expect(client.maps.loadMap(requests())).rejects.toBe(mine);
    await cancelled.promise;
  });

  it("takes an answer that comes before the requests end", async () => {
    const { client } = await serve({
      loadMap: (call, callback) => call.once("data", () => callback(null, { received: 1n })),
    });
    const ended = deferred<void>();
    async function* requests() {
      try {
        for (;;) yield START;
      } finally {
        ended.resolve();
      }
    }
    expect((await client.maps.loadMap(requests())).received).toBe(1n);
    await ended.promise;
  });

  it("refuses a request that cannot be encoded, as INVALID_ARGUMENT", async () => {
    const { client } = await serve(count);
    async function* requests() {
      yield { kind: { case: "elements", value: { count: -1 } } } as const;
    }
    const error = await client.maps.loadMap(requests()).catch((error) => error);
    expect(error).toBeInstanceOf(BpfmapError);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
  });
});
