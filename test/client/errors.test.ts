import { BpfmapError, connect, Metadata, status } from "@bpfmapd/client";
import { describe, expect, it } from "vitest";
import { failure, serve } from "./support/canned-server.js";

/** The error of a call that the server fails in this way. */
async function received(error: Error): Promise<BpfmapError> {
  const { client } = await serve({ getMap: (_call, callback) => callback(error) });
  return client
    .map({ id: 7 })
    .get()
    .then(
      () => expect.unreachable("the call was to fail"),
      (error) => error,
    );
}

describe("BpfmapError", () => {
  it("carries status, reason, metadata and violations of the daemon", async () => {
    const error = await received(
      failure(status.INVALID_ARGUMENT, "max_entries is 0", {
        reason: "SPEC_INVALID",
        metadata: { map: "id 7", operation: "create" },
        violations: [
          { field: "spec.max_entries", description: "must be above 0" },
          { field: "spec.key_size", description: "must be 4" },
        ],
      }),
    );
    expect(error).toBeInstanceOf(BpfmapError);
    expect(error.name).toBe("BpfmapError");
    expect(error.message).toBe("max_entries is 0");
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.metadata).toEqual({ map: "id 7", operation: "create" });
    expect(error.violations).toEqual([
      { field: "spec.max_entries", description: "must be above 0" },
      { field: "spec.key_size", description: "must be 4" },
    ]);
    expect(error.cause).toBeInstanceOf(Error);
  });

  it("has no reason where the daemon gave none", async () => {
    const error = await received(failure(status.INTERNAL, "oh"));
    expect(error).toMatchObject({ code: status.INTERNAL, message: "oh", reason: "" });
    expect(error).toMatchObject({ metadata: {}, violations: [] });
  });

  it("does not take the details of a proxy for those of the daemon", async () => {
    const details = { domain: "proxy.example.org", reason: "QUOTA", metadata: { quota: "1" } };
    const error = await received(failure(status.RESOURCE_EXHAUSTED, "slow down", details));
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "", metadata: {} });
  });

  it.each([
    ["a status", Buffer.from([0xff, 0xff, 0xff])],
    // google.rpc.Status { details: [Any { type_url: ".../google.rpc.ErrorInfo", value: ff }] }
    [
      "an ErrorInfo",
      Buffer.concat([
        Buffer.from([0x1a, 45, 0x0a, 40]),
        Buffer.from("type.googleapis.com/google.rpc.ErrorInfo"),
        Buffer.from([0x12, 1, 0xff]),
      ]),
    ],
  ])("keeps the status where the details cannot be read as %s", async (_what, bytes) => {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", bytes);
    const original = Object.assign(new Error(), { code: status.NOT_FOUND, details: "gone" });
    const error = await received(Object.assign(original, { metadata }));
    expect(error).toMatchObject({ code: status.NOT_FOUND, message: "gone", reason: "" });
  });

  it("keeps the daemon's own words when the daemon is stopping", async () => {
    const error = await received(
      failure(status.UNAVAILABLE, "the daemon is stopping", { reason: "DAEMON_STOPPING" }),
    );
    expect(error).toMatchObject({ reason: "DAEMON_STOPPING", message: "the daemon is stopping" });
  });
});

describe("BpfmapError.from", () => {
  it("returns a BpfmapError as it is", () => {
    const error = new BpfmapError("full", { code: status.RESOURCE_EXHAUSTED, reason: "MAP_FULL" });
    expect(BpfmapError.from(error)).toBe(error);
  });

  it.each([
    ["an error", new TypeError("wrong"), "wrong"],
    ["an error of the system", Object.assign(new Error("no"), { code: "ENOENT" }), "no"],
    ["an error with a number", Object.assign(new Error("no"), { code: 5 }), "no"],
    ["a string", "wrong", "wrong"],
    ["nothing", undefined, "undefined"],
  ])("makes %s UNKNOWN, with the original as cause", (_what, original, message) => {
    const error = BpfmapError.from(original);
    expect(error).toMatchObject({ code: status.UNKNOWN, reason: "", message });
    expect(error.cause).toBe(original);
  });
});

describe("a call", () => {
  it("fails with DEADLINE_EXCEEDED after its own deadline, or the client's", async () => {
    const { client, address } = await serve({ getMap: () => {} });
    const exceeded = { name: "BpfmapError", code: status.DEADLINE_EXCEEDED };
    await expect(client.map({ id: 1 }).get({}, { deadlineMs: 20 })).rejects.toMatchObject(exceeded);

    const impatient = connect({ address, deadlineMs: 20 });
    await expect(impatient.map({ id: 1 }).get()).rejects.toMatchObject(exceeded);
    impatient.close();
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 31, 1e12])(
    "takes a deadline of %d ms",
    async (deadlineMs) => {
      const { client } = await serve({
        getMap: (_call, callback) => callback(null, { map: { id: 3 } }),
      });
      expect((await client.map({ id: 3 }).get({}, { deadlineMs })).id).toBe(3);
    },
  );

  it("is refused before it is sent where its deadline or a number is out of range", async () => {
    const { client } = await serve({ getMap: () => expect.unreachable("nothing was to be sent") });
    const refused = { name: "BpfmapError", code: status.INVALID_ARGUMENT };
    await expect(client.map({ id: 1 }).get({}, { deadlineMs: -1 })).rejects.toMatchObject(refused);
    await expect(client.map({ id: -1 }).get()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("bpfmap.v1.MapRef.id"),
    });
  });

  it("sends the metadata it is given", async () => {
    const { client } = await serve({
      getMap: (call, callback) =>
        callback(null, { map: { name: `${call.metadata.get("x-test")}` } }),
    });
    const metadata = new Metadata();
    metadata.set("x-test", "seen");
    expect((await client.map({ id: 1 }).get({}, { metadata })).name).toBe("seen");
  });
});
