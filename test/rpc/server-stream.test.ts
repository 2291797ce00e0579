import { constants } from "node:http2";
import {
  DumpMapRequestSchema,
  type DumpMapResponse,
  DumpMapResponseSchema,
} from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { type Client, type ClientReadableStream, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { MapError } from "#dist/maps/index.js";
import { deferred } from "./support/deferred.js";
import { type DecodedFailure, decodeFailure } from "./support/failure.js";
import { http2Call } from "./support/http2-call.js";
import { encoded, passThrough, rawServer, rpcPath } from "./support/raw-server.js";

const request = encoded(DumpMapRequestSchema, { map: { ref: { case: "id", value: 7 } } });
const MIB = 1024 * 1024;

/** A message of about 1 MiB, encoded. */
const chunk = encoded(DumpMapResponseSchema, {
  kind: { case: "elements", value: { count: 1, keys: new Uint8Array(MIB) } },
});

function dump(client: Client, bytes = request): ClientReadableStream<Buffer> {
  return client.makeServerStreamRequest(rpcPath("DumpMap"), passThrough, passThrough, bytes);
}

async function readAll(call: ClientReadableStream<Buffer>): Promise<DumpMapResponse[]> {
  const messages: DumpMapResponse[] = [];
  for await (const bytes of call) messages.push(fromBinary(DumpMapResponseSchema, bytes));
  return messages;
}

/** Reads until the call fails. */
async function failureOfStream(call: ClientReadableStream<Buffer>): Promise<DecodedFailure> {
  try {
    await readAll(call);
  } catch (error) {
    return decodeFailure(error as Parameters<typeof decodeFailure>[0]);
  }
  return expect.fail("the call succeeded");
}

describe("a server stream", () => {
  test("sends messages, what create takes, and Buffers that are encoded already", async () => {
    const { client } = await rawServer({
      async *dumpMap() {
        yield { kind: { case: "header", value: { valueStride: 8 } } };
        yield chunk;
        yield { kind: { case: "summary", value: { sent: 1n, complete: true } } };
      },
    });
    const messages = await readAll(dump(client));
    expect(messages.map(({ kind }) => kind.case)).toEqual(["header", "elements", "summary"]);
    expect(messages[1]?.kind.value).toMatchObject({ count: 1 });
  });

  test("ends with a MapError's status after the messages before it", async () => {
    const { client } = await rawServer({
      async *dumpMap() {
        yield chunk;
        throw new MapError("MAP_NOT_FOUND", "map 7 was freed", { metadata: { map: "7" } });
      },
    });
    const call = dump(client);
    const seen: number[] = [];
    call.on("data", (bytes: Buffer) => seen.push(bytes.length));
    const failure = await failureOfStream(call);
    expect(seen).toEqual([chunk.length]);
    expect(failure).toMatchObject({
      code: status.NOT_FOUND,
      info: { reason: "MAP_NOT_FOUND", metadata: { map: "7" } },
    });
  });

  test.each([
    [
      "throws instead of returning a stream",
      () => {
        throw new TypeError("secret");
      },
    ],
    [
      "throws in the middle",
      async function* () {
        yield chunk;
        throw new TypeError("secret");
      },
    ],
    [
      "yields what is no such message",
      async function* () {
        yield { kind: { case: "header", value: { valueStride: "secret" } } };
      },
    ],
  ])("answers INTERNAL and tells the log where the handler %s", async (_, dumpMap) => {
    const { client, defects } = await rawServer({ dumpMap: dumpMap as never });
    const failure = await failureOfStream(dump(client));
    expect(failure).toMatchObject({ code: status.INTERNAL, info: { reason: "INTERNAL" } });
    expect(failure.message).not.toContain("secret");
    expect(defects).toHaveLength(1);
  });

  test("answers INVALID_ARGUMENT for bytes that are no message, and for rules that are broken", async () => {
    const { client } = await rawServer({ dumpMap: () => expect.unreachable() });
    const garbage = await failureOfStream(dump(client, Buffer.alloc(9, 0xff)));
    expect(garbage).toMatchObject({
      code: status.INVALID_ARGUMENT,
      info: { reason: "FIELD_INVALID" },
    });
    const empty = await failureOfStream(dump(client, Buffer.alloc(0)));
    expect(empty.badRequest?.fieldViolations).toMatchObject([{ field: "map" }]);
  });

  test("refuses to send a message past the limit", async () => {
    const { client } = await rawServer(
      {
        async *dumpMap() {
          yield chunk;
        },
      },
      { maxMessageBytes: MIB },
    );
    const failure = await failureOfStream(dump(client));
    expect(failure).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      info: { reason: "LIMIT_EXCEEDED" },
    });
  });

  test("reads from the handler at the client's pace", async () => {
    const CHUNKS = 64;
    let yielded = 0;
    const stalled = deferred();
    const { socket } = await rawServer({
      async *dumpMap() {
        for (; yielded < CHUNKS; yielded++) {
          // Far more than what may wait: told when the handler has rested for a while.
          clearTimeout(idle);
          idle = setTimeout(stalled.resolve, 500);
          yield chunk;
        }
      },
    });
    let idle: NodeJS.Timeout | undefined;
    const { stream } = http2Call(socket, "DumpMap", request);
    await stalled.promise;
    expect(yielded).toBeLessThan(8);
    let bytes = 0;
    for await (const data of stream) bytes += data.length;
    expect(bytes).toBe(CHUNKS * (chunk.length + 5));
    expect(yielded).toBe(CHUNKS);
  });

  test.each([
    ["cancels", "while the handler has nothing to yield", false],
    ["cancels", "while the handler waits for it to read", true],
    ["loses its connection", "while the handler has nothing to yield", false],
    ["loses its connection", "while the handler waits for it to read", true],
  ])("aborts the handler and lets it wind up when the client %s %s", async (how, _, floods) => {
    const started = deferred();
    const aborted = deferred<unknown>();
    const woundUp = deferred();
    const { socket, defects } = await rawServer({
      async *dumpMap(_request, { signal }) {
        signal.addEventListener("abort", () => aborted.resolve(signal.reason));
        try {
          yield chunk;
          started.resolve();
          while (floods) yield chunk;
          await aborted.promise;
          throw signal.reason;
        } finally {
          woundUp.resolve();
        }
      },
    });
    const { session, stream } = http2Call(socket, "DumpMap", request);
    await started.promise;
    if (how === "cancels") stream.close(constants.NGHTTP2_CANCEL);
    else session.destroy();
    expect(await aborted.promise).toMatchObject({ name: "CallEnded" });
    await woundUp.promise;
    expect(defects).toEqual([]);
  });

  test("aborts the handler at the deadline of a client that does not read", async () => {
    const aborted = deferred();
    const { socket } = await rawServer({
      async *dumpMap(_request, { signal }) {
        signal.addEventListener("abort", () => aborted.resolve());
        for (;;) yield chunk;
      },
    });
    http2Call(socket, "DumpMap", request, { "grpc-timeout": "300m" });
    await aborted.promise;
  });

  test("ends with UNAVAILABLE DAEMON_STOPPING at once when the daemon stops", async () => {
    const started = deferred();
    const never = deferred();
    const { client, streamsStopping, unaryStopping } = await rawServer({
      async *dumpMap() {
        yield chunk;
        started.resolve();
        await never.promise; // a handler that does not look at its signal
      },
    });
    const failed = failureOfStream(dump(client));
    await started.promise;
    streamsStopping.abort();
    const expected = { code: status.UNAVAILABLE, info: { reason: "DAEMON_STOPPING" } };
    expect(await failed).toMatchObject(expected);
    expect(await failureOfStream(dump(client))).toMatchObject(expected);
    expect(unaryStopping.signal.aborted).toBe(false);
    never.resolve();
  });
});
