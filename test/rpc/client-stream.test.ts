import { constants } from "node:http2";
import {
  LoadMapRequestSchema,
  type LoadMapResponse,
  LoadMapResponseSchema,
} from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { type Client, type ClientWritableStream, status } from "@grpc/grpc-js";
import { describe, expect, test, vi } from "vitest";
import { MapError } from "#dist/maps/index.js";
import { RawHttp2, call as rawCall } from "../fuzz/support/http2-wire.js";
import { frames } from "../service/support/raw-grpc.js";
import { deferred } from "./support/deferred.js";
import { failureOf } from "./support/failure.js";
import { type Http2Call, http2Call } from "./support/http2-call.js";
import { encoded, passThrough, rawServer, rpcPath } from "./support/raw-server.js";

const MIB = 1024 * 1024;
const start = encoded(LoadMapRequestSchema, {
  kind: { case: "start", value: { map: { ref: { case: "id", value: 7 } } } },
});
const chunk = encoded(LoadMapRequestSchema, {
  kind: { case: "elements", value: { count: 1, keys: new Uint8Array(MIB) } },
});

function load(client: Client): {
  call: ClientWritableStream<Buffer>;
  answer: Promise<LoadMapResponse>;
} {
  let call: ClientWritableStream<Buffer> | undefined;
  const answer = new Promise<LoadMapResponse>((resolve, reject) => {
    call = client.makeClientStreamRequest<Buffer, Buffer>(
      rpcPath("LoadMap"),
      passThrough,
      passThrough,
      (error, bytes) => {
        if (error === null) resolve(fromBinary(LoadMapResponseSchema, bytes as Buffer));
        else reject(error);
      },
    );
  });
  answer.catch(() => {}); // looked at by the test, when it comes to it
  return { call: call as ClientWritableStream<Buffer>, answer };
}

describe("a client stream", () => {
  test("gives the handler each message and answers what it returns", async () => {
    const { client } = await rawServer({
      async loadMap(requests) {
        const kinds: unknown[] = [];
        for await (const { kind } of requests) kinds.push(kind.case);
        expect(kinds).toEqual(["start", "elements", "elements"]);
        return { received: BigInt(kinds.length) };
      },
    });
    const { call, answer } = load(client);
    for (const message of [start, chunk, chunk]) call.write(message);
    call.end();
    expect(await answer).toMatchObject({ received: 3n });
  });

  test("is answered beside others that end at the same time", async () => {
    const { client } = await rawServer({
      async loadMap(requests) {
        let received = 0n;
        for await (const _ of requests) received++;
        return { received };
      },
    });
    const loads = Array.from({ length: 50 }, () => load(client));
    for (const { call } of loads) call.end(start);
    for (const { answer } of loads) expect(await answer).toMatchObject({ received: 1n });
  });

  test("asks a peer that does not answer no more than once whether it is whole", async () => {
    const { socket } = await rawServer({
      async loadMap(requests) {
        for await (const _ of requests);
        return {};
      },
    });
    const peer = await RawHttp2.open(socket);
    for (let index = 0; index < 50; index++) {
      await peer.write(rawCall(2 * index + 1, rpcPath("LoadMap").slice(1), frames(start)));
    }
    await vi.waitFor(() => expect(peer.pings).toBeGreaterThan(0));
    for (let round = 0; round < 10; round++) await peer.ping(`round ${round}.`);
    expect(peer.pings).toBe(1);
    peer.destroy();
  });

  test("answers at once where the handler has seen enough", async () => {
    const { client, defects } = await rawServer({
      async loadMap(requests) {
        for await (const _ of requests) throw new MapError("MAP_FULL", "map 7 is full");
        return {};
      },
    });
    const { call, answer } = load(client);
    call.write(start);
    call.write(chunk);
    expect(await failureOf(answer)).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      info: { reason: "MAP_FULL" },
    });
    expect(defects).toEqual([]);
  });

  test("answers INVALID_ARGUMENT for bytes that are no message, after good ones too", async () => {
    const { client, defects } = await rawServer({
      async loadMap(requests) {
        for await (const _ of requests);
        return {};
      },
    });
    for (const messages of [[Buffer.alloc(3, 0xff)], [start, chunk, Buffer.alloc(3, 0xff)]]) {
      const { call, answer } = load(client);
      for (const message of messages) call.write(message);
      expect(await failureOf(answer)).toMatchObject({
        code: status.INVALID_ARGUMENT,
        info: { reason: "FIELD_INVALID" },
      });
    }
    expect(defects).toEqual([]);
  });

  test("checks the rules of each message", async () => {
    const { client } = await rawServer({
      async loadMap(requests) {
        for await (const _ of requests);
        return {};
      },
    });
    const { call, answer } = load(client);
    call.write(Buffer.alloc(0)); // neither start nor elements
    expect(await failureOf(answer)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      badRequest: { fieldViolations: [{ field: "kind" }] },
    });
  });

  test.each<[string, (call: Http2Call) => void]>([
    ["cancelled", ({ stream }) => stream.close(constants.NGHTTP2_CANCEL)],
    ["destroyed", ({ stream }) => stream.destroy()],
    ["broken with its connection", ({ session }) => session.destroy()],
  ])("never shows the handler the end of a stream that was %s", async (_, cut) => {
    const outcome = deferred<unknown>();
    const started = deferred();
    const { socket, defects } = await rawServer({
      async loadMap(requests) {
        try {
          for await (const _ of requests) started.resolve();
          outcome.resolve("ended");
        } catch (error) {
          outcome.resolve(error);
          throw error;
        }
        return {};
      },
    });
    const call = http2Call(socket, "LoadMap", [start]);
    await started.promise;
    cut(call);
    expect(await outcome.promise).toMatchObject({ name: "CallEnded" });
    expect(defects).toEqual([]);
  });

  test("tells all of many streams that end at once on a connection from those cancelled", async () => {
    const outcomes: string[] = [];
    let started = 0;
    const { client } = await rawServer({
      async loadMap(requests) {
        try {
          for await (const _ of requests) started++;
          outcomes.push("ended");
        } catch {
          outcomes.push("cut");
        }
        return {};
      },
    });
    const loads = Array.from({ length: 40 }, () => load(client));
    for (const { call } of loads) call.write(start);
    await vi.waitFor(() => expect(started).toBe(40));
    for (const [index, { call }] of loads.entries()) index % 2 === 0 ? call.end() : call.cancel();
    await Promise.allSettled(loads.map(({ answer }) => answer));
    await vi.waitFor(() => expect(outcomes).toHaveLength(40));
    expect(outcomes.filter((outcome) => outcome === "ended")).toHaveLength(20);
  });

  test("takes messages at the handler's pace", async () => {
    const CHUNKS = 64;
    const go = deferred();
    const { client } = await rawServer({
      async loadMap(requests) {
        let received = 0n;
        for await (const _ of requests) {
          received++;
          await go.promise;
        }
        return { received };
      },
    });
    const { call, answer } = load(client);
    let sent = 0;
    const stalled = deferred();
    let idle: NodeJS.Timeout | undefined;
    const writeAll = async () => {
      for (; sent < CHUNKS; sent++) {
        clearTimeout(idle);
        idle = setTimeout(stalled.resolve, 500);
        // Resolves when the message is on its way, so that only the server's appetite counts.
        await new Promise((resolve) => call.write(sent === 0 ? start : chunk, resolve));
      }
      call.end();
    };
    const writing = writeAll();
    await stalled.promise;
    expect(sent).toBeLessThan(8);
    go.resolve();
    await writing;
    expect(await answer).toMatchObject({ received: BigInt(CHUNKS) });
  });

  test("ends with UNAVAILABLE DAEMON_STOPPING at once when the daemon stops", async () => {
    const started = deferred();
    const { client, streamsStopping, defects } = await rawServer({
      async loadMap(requests) {
        for await (const _ of requests) started.resolve();
        return {};
      },
    });
    const { call, answer } = load(client);
    call.write(start);
    await started.promise;
    streamsStopping.abort();
    expect(await failureOf(answer)).toMatchObject({
      code: status.UNAVAILABLE,
      info: { reason: "DAEMON_STOPPING" },
    });
    expect(defects).toEqual([]);
  });
});
