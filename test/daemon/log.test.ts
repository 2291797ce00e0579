import { connect } from "@bpfmapd/client";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { tokenIssuer } from "../access/support/tokens.js";
import { frames, RawConnection } from "../service/support/raw-grpc.js";
import { startDaemon } from "../support/daemon.js";
import { policyFile } from "../support/policy.js";

async function waitForLog(logs: readonly { msg: string }[], msg: string): Promise<void> {
  await expect.poll(() => logs.some((line) => line.msg.includes(msg))).toBe(true);
}

describe("the log", () => {
  test("is one JSON object a line with level and time", async () => {
    const { logs } = await startDaemon({ logLevel: "info" });
    expect(logs.at(-1)).toMatchObject({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: "serving",
      version: "0.1.0",
    });
  });

  test("tells each request at debug: rpc, status, duration, peer", async () => {
    const { client, logs } = await startDaemon({ logLevel: "debug" });
    await client.host.getHost({});
    await client
      .map({ id: 1_000_000_000 })
      .get()
      .catch(() => {});
    await expect.poll(() => logs.filter(({ msg }) => msg === "request")).toHaveLength(2);
    expect(logs.filter(({ msg }) => msg === "request")).toMatchObject([
      {
        level: "debug",
        rpc: "bpfmap.v1.HostService/GetHost",
        status: "OK",
        durationMs: expect.any(Number),
        peer: "unix",
      },
      {
        rpc: "bpfmap.v1.MapService/GetMap",
        status: "NOT_FOUND",
        details: expect.stringContaining("1000000000"),
      },
    ]);
  });

  test("has no lines of other forms, whatever headers a client sends", async () => {
    const { logs, socket } = await startDaemon({ logLevel: "debug" });
    const connection = await RawConnection.open(socket);
    const headers = { "x-odd": "\xff\xfe", "x-request-id": '"}\tforged' };
    await connection.call("bpfmap.v1.HostService/GetHost", frames(new Uint8Array(0)), headers);
    connection.destroy();
    await waitForLog(logs, "request");
    expect(logs.filter(({ level }) => level === undefined)).toEqual([]);
    expect(logs).toContainEqual(
      expect.objectContaining({ msg: "grpc-js", text: expect.stringContaining("x-odd") }),
    );
  });

  test("tells the address of a TCP peer, though it is gone already", async () => {
    const { jwksFile } = await tokenIssuer();
    const { logs } = await startDaemon({
      args: ["--tcp", "127.0.0.1:0", "--plaintext", "--policy", policyFile(), "--jwks", jwksFile],
      logLevel: "debug",
    });
    const { listen } = logs.at(-1) as unknown as { listen: string[] };
    const client = connect({ address: listen[1] as string, plaintext: true });
    await expect(client.host.getHost({})).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    client.close();
    await expect
      .poll(() => logs)
      .toContainEqual(
        expect.objectContaining({
          msg: "request",
          peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        }),
      );
  });

  test("tells nothing of requests at info", async () => {
    const { client, logs } = await startDaemon({ logLevel: "info" });
    await client.host.getHost({});
    expect(logs.filter(({ msg }) => msg === "request")).toEqual([]);
  });

  test("is for people where that is asked for", async () => {
    const { client, logs } = await startDaemon({
      args: ["--log-format", "pretty", "--log-level", "debug"],
      isReady: (line) => line.includes("serving"),
    });
    await client.host.getHost({});
    await waitForLog(logs, "request");
    expect(logs.map(({ msg }) => msg).join("\n")).toMatch(/INFO.*: serving/);
  });

  test("warns of variables that are no settings, and goes on", async () => {
    const { logs } = await startDaemon({ env: { BPFMAPD_SERVICE_HOST: "10.0.0.1" } });
    expect(logs).toContainEqual(
      expect.objectContaining({ level: "warn", variable: "BPFMAPD_SERVICE_HOST" }),
    );
  });

  test("tells of holds that are taken over and of leases that run out", async () => {
    const daemon = await startDaemon({ logLevel: "info" });
    const spec = { type: 1, keySize: 4, valueSize: 4, maxEntries: 1 };
    await daemon.client.maps.createMap({ spec, hold: { name: "leased", lease: { seconds: 1n } } });
    await daemon.restart();
    expect(daemon.logs).toContainEqual(
      expect.objectContaining({ msg: "held map taken over", hold: "leased" }),
    );
    await expect
      .poll(() => daemon.logs, { timeout: 30_000 })
      .toContainEqual(expect.objectContaining({ msg: "lease ran out", hold: "leased" }));
  });
});
