import { fromBinary } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials, status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as State,
} from "#dist/rpc/gen/grpc/health/v1/health_pb.js";
import { encoded, passThrough } from "../rpc/support/raw-server.js";
import { startDaemon } from "../support/daemon.js";

function rawClient(socket: string): Client {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

function check(client: Client, service: string): Promise<State> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, Buffer>(
      "/grpc.health.v1.Health/Check",
      passThrough,
      passThrough,
      encoded(HealthCheckRequestSchema, { service }),
      (error, bytes) => {
        if (error !== null) reject(error);
        else resolve(fromBinary(HealthCheckResponseSchema, bytes as Buffer).status);
      },
    );
  });
}

function watch(client: Client, service: string): ClientReadableStream<Buffer> {
  const request = encoded(HealthCheckRequestSchema, { service });
  const path = "/grpc.health.v1.Health/Watch";
  return client.makeServerStreamRequest(path, passThrough, passThrough, request);
}

describe("health", () => {
  test("is SERVING for the daemon and its services, NOT_FOUND for others", async () => {
    const client = rawClient((await startDaemon()).socket);
    for (const service of ["", "bpfmap.v1.MapService", "bpfmap.v1.HostService"]) {
      expect(await check(client, service)).toBe(State.SERVING);
    }
    await expect(check(client, "other")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test("is watched until the daemon stops, which a watch does not delay", async () => {
    const daemon = await startDaemon({ args: ["--shutdown-grace-ms", "86400000"] });
    const client = rawClient(daemon.socket);
    const states: State[] = [];
    const serving = watch(client, "");
    const unknown = watch(client, "other");
    const ended = (async () => {
      for await (const bytes of serving)
        states.push(fromBinary(HealthCheckResponseSchema, bytes).status);
    })().catch((error) => error);
    const [first] = await unknown[Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value]);
    expect(fromBinary(HealthCheckResponseSchema, first).status).toBe(State.SERVICE_UNKNOWN);
    await expect.poll(() => states).toEqual([State.SERVING]);
    unknown.on("error", () => {});

    expect(await daemon.stop()).toBe(0);
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(states[0]).toBe(State.SERVING);
    expect(states.slice(1).every((state) => state === State.NOT_SERVING)).toBe(true);
  });
});
