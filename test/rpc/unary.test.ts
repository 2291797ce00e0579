import { GetMapRequestSchema, GetMapResponseSchema } from "@bpfmapd/client/proto";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { fieldError, MapError } from "#dist/maps/index.js";
import type { CallContext } from "#dist/rpc/adapter/server-call.js";
import { deferred } from "./support/deferred.js";
import { failureOf } from "./support/failure.js";
import { encoded, rawServer, rawUnary, unaryMessage } from "./support/raw-server.js";

const request = encoded(GetMapRequestSchema, { map: { ref: { case: "id", value: 7 } } });
const DAY_MS = 86_400_000;

describe("a unary call", () => {
  test("answers what the handler returns, and tells it who calls and what", async () => {
    let context: CallContext | undefined;
    const { client } = await rawServer({
      getMap: async (message, given) => {
        context = given;
        expect(given.signal.aborted).toBe(false);
        expect(message.map?.ref).toEqual({ case: "id", value: 7 });
        return { map: { id: 7, name: "seven" } };
      },
    });
    const answer = await unaryMessage(GetMapResponseSchema, rawUnary(client, "GetMap", request));
    expect(answer.map).toMatchObject({ id: 7, name: "seven" });
    expect(context).toMatchObject({ rpc: "bpfmap.v1.MapService/GetMap", peer: "unix" });
  });

  test("ends with the status, reason, metadata and fields of a MapError", async () => {
    const { client, defects } = await rawServer({
      getMap: async () => {
        throw fieldError("KEY_SIZE_MISMATCH", "keys", "7 bytes are no whole keys of 4").with({
          map: "7",
        });
      },
    });
    const failure = await failureOf(rawUnary(client, "GetMap", request));
    expect(failure).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: "keys: 7 bytes are no whole keys of 4",
      info: { reason: "KEY_SIZE_MISMATCH", domain: "bpfmapd", metadata: { map: "7" } },
      badRequest: {
        fieldViolations: [{ field: "keys", description: "7 bytes are no whole keys of 4" }],
      },
    });
    expect(defects).toEqual([]);
  });

  test("has no BadRequest where no field is at fault, and never the cause", async () => {
    const { client } = await rawServer({
      getMap: async () => {
        throw new MapError("MAP_NOT_FOUND", "no map 7", { cause: new Error("secret") });
      },
    });
    const failure = await failureOf(rawUnary(client, "GetMap", request));
    expect(failure).toMatchObject({ code: status.NOT_FOUND, badRequest: undefined });
    expect(JSON.stringify(failure)).not.toContain("secret");
  });

  test.each([
    [
      "rejects",
      async () => {
        throw new TypeError("secret");
      },
    ],
    [
      "throws before it returns a promise",
      () => {
        throw new TypeError("secret");
      },
    ],
    ["throws what is no error", () => Promise.reject("secret")],
    ["returns what is no such message", async () => ({ map: { id: 1.5 } })],
  ])("answers INTERNAL, tells the log and lives on where the handler %s", async (_, handler) => {
    let calls = 0;
    const { client, defects } = await rawServer({
      getMap: async () => (calls++ === 0 ? (handler() as never) : { map: { id: 7 } }),
    });
    const failure = await failureOf(rawUnary(client, "GetMap", request));
    expect(failure).toMatchObject({
      code: status.INTERNAL,
      info: { reason: "INTERNAL", domain: "bpfmapd" },
    });
    expect(failure.message).not.toContain("secret");
    expect(defects).toHaveLength(1);
    await rawUnary(client, "GetMap", request);
  });

  test("answers INVALID_ARGUMENT FIELD_INVALID for bytes that are no message", async () => {
    const { client, defects } = await rawServer({ getMap: () => expect.unreachable() });
    for (const bytes of [
      Buffer.from([0xff]),
      Buffer.from([0x0a, 0x7f, 1]),
      Buffer.alloc(64, 0xfe),
    ]) {
      const failure = await failureOf(rawUnary(client, "GetMap", bytes));
      expect(failure).toMatchObject({
        code: status.INVALID_ARGUMENT,
        info: { reason: "FIELD_INVALID" },
        badRequest: { fieldViolations: [{ field: "" }] },
      });
      expect(failure.message).toContain("bpfmap.v1.GetMapRequest");
    }
    expect(defects).toEqual([]);
  });

  test("names each field that breaks a rule of the contract", async () => {
    const { client } = await rawServer({ getMap: () => expect.unreachable() });
    const bad = encoded(GetMapRequestSchema, {
      map: { ref: { case: "id", value: 0 }, bootId: "b".repeat(65) },
    });
    const failure = await failureOf(rawUnary(client, "GetMap", bad));
    expect(failure).toMatchObject({
      code: status.INVALID_ARGUMENT,
      info: { reason: "FIELD_INVALID" },
    });
    const fields = failure.badRequest?.fieldViolations.map(({ field }) => field);
    expect(fields).toEqual(expect.arrayContaining(["map.id", "map.boot_id"]));
    expect(failure.message).toContain("map.id: ");

    const missing = await failureOf(rawUnary(client, "GetMap", Buffer.alloc(0)));
    expect(missing.badRequest?.fieldViolations).toMatchObject([{ field: "map" }]);
  });

  test("answers RESOURCE_EXHAUSTED LIMIT_EXCEEDED instead of an answer past the limit", async () => {
    const { client } = await rawServer(
      { getMap: async () => ({ map: { name: "x".repeat(2000) } }) },
      { maxMessageBytes: 1000 },
    );
    const failure = await failureOf(rawUnary(client, "GetMap", request));
    expect(failure).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      info: { reason: "LIMIT_EXCEEDED", metadata: { limit: "limits.max_message_bytes" } },
    });
  });

  test("aborts its signal when the client cancels", async () => {
    const aborted = deferred<unknown>();
    const called = deferred<void>();
    const { client, defects } = await rawServer({
      getMap: async (_, { signal }) => {
        signal.addEventListener("abort", () => aborted.resolve(signal.reason));
        called.resolve();
        await aborted.promise;
        throw signal.reason;
      },
    });
    const call = client.makeUnaryRequest(
      "/bpfmap.v1.MapService/GetMap",
      (b: Buffer) => b,
      (b) => b,
      request,
      () => {},
    );
    await called.promise;
    call.cancel();
    expect(await aborted.promise).toMatchObject({ name: "CallEnded" });
    expect(defects).toEqual([]);
  });

  test("aborts its signal at its deadline", async () => {
    const aborted = deferred<void>();
    const { client } = await rawServer({
      getMap: (_, { signal }) => {
        signal.addEventListener("abort", () => aborted.resolve());
        return new Promise(() => {});
      },
    });
    const failure = await failureOf(
      rawUnary(client, "GetMap", request, { deadline: Date.now() + 200 }),
    );
    expect(failure.code).toBe(status.DEADLINE_EXCEEDED);
    await aborted.promise;
  });

  test.each([25, 60, 3650])("takes a deadline in %i days", async (days) => {
    const { client } = await rawServer({ getMap: async () => ({ map: { id: 7 } }) });
    await rawUnary(client, "GetMap", request, { deadline: Date.now() + days * DAY_MS });
  });

  test("answers UNAVAILABLE DAEMON_STOPPING when the daemon's patience is over", async () => {
    const called = deferred<void>();
    const { client, unaryStopping } = await rawServer({
      getMap: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          called.resolve();
        }),
    });
    const stopped = failureOf(rawUnary(client, "GetMap", request));
    await called.promise;
    unaryStopping.abort();
    const expected = { code: status.UNAVAILABLE, info: { reason: "DAEMON_STOPPING" } };
    expect(await stopped).toMatchObject(expected);
    expect(await failureOf(rawUnary(client, "GetMap", request))).toMatchObject(expected);
  });
});
