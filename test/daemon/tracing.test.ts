import { mapRef } from "@bpfmapd/client";
import { LoadStrategy, MapType } from "@bpfmapd/client/proto";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { startOtlpReceiver } from "./support/otlp-receiver.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

/** Sends spans soon, where the default is five seconds. */
const SOON = { OTEL_BSP_SCHEDULE_DELAY: "50" };

function traceparent(flags: string): Metadata {
  const metadata = new Metadata();
  metadata.set("traceparent", `00-${TRACE}-${CALLER}-${flags}`);
  return metadata;
}

describe("traces", () => {
  test("have a span for each call, with the map that it names and its status", async () => {
    const receiver = await startOtlpReceiver();
    const daemon = await startDaemon({ args: ["--otlp-endpoint", receiver.url], env: SOON });
    const { client } = daemon;
    const spec = { type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 };
    const { map } = await client.maps.createMap({ spec, hold: { name: "traced" } });
    const id = map?.id ?? 0;
    const start = { map: mapRef({ held: "traced" }), strategy: LoadStrategy.MERGE };
    await client.maps.loadMap(
      (async function* () {
        yield { kind: { case: "start" as const, value: start } };
      })(),
    );
    await client.map({ id }).get();
    await expect(client.map({ held: "nothing" }).get()).rejects.toThrow();
    await expect.poll(() => receiver.spans.length, { timeout: 20_000 }).toBe(4);

    expect(receiver.spans.map(({ name }) => name).sort()).toEqual([
      "bpfmap.v1.MapService/CreateMap",
      "bpfmap.v1.MapService/GetMap",
      "bpfmap.v1.MapService/GetMap",
      "bpfmap.v1.MapService/LoadMap",
    ]);
    const rpc = { "rpc.system": "grpc", "rpc.service": "bpfmap.v1.MapService" };
    const attributes = receiver.spans.map((span) => span.attributes);
    const get = { ...rpc, "rpc.method": "GetMap", "network.transport": "unix" };
    const { OK, NOT_FOUND } = status;
    const found = { ...get, "bpfmap.map.id": id, "rpc.grpc.status_code": OK };
    const missed = { ...get, "bpfmap.map.held": "nothing", "rpc.grpc.status_code": NOT_FOUND };
    const loaded = { ...found, "rpc.method": "LoadMap", "bpfmap.map.held": "traced" };
    expect(attributes).toContainEqual(found);
    expect(attributes).toContainEqual(missed);
    expect(attributes).toContainEqual({ ...loaded, "bpfmap.map.id": undefined });
    for (const span of receiver.spans) {
      expect(span).toMatchObject({ kind: 2, parentSpanId: "" });
      // What a client asked for in vain is no fault of the server.
      expect(span.status).toBe(0);
      expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(span.durationNs).toBeGreaterThan(0n);
      expect(span.resource).toMatchObject({
        ...{ "service.name": "bpfmapd", "service.version": "0.1.0", "process.pid": daemon.pid },
      });
    }
    expect(receiver.requests[0]).toMatchObject({
      path: "/v1/traces",
      headers: { "content-type": "application/x-protobuf" },
    });
  });

  test("go on from the caller's span, and leave out what it does not sample", async () => {
    const receiver = await startOtlpReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`, OTEL_SERVICE_NAME: "mine" };
    const { client, stop } = await startDaemonWith(env);
    await client.host.getHost({}, { metadata: traceparent("00") });
    await client.host.getHost({}, { metadata: traceparent("01") });
    // The last spans are sent before the daemon ends.
    await stop();
    expect(receiver.spans).toHaveLength(1);
    expect(receiver.spans[0]).toMatchObject({
      ...{ name: "bpfmap.v1.HostService/GetHost", traceId: TRACE, parentSpanId: CALLER },
      resource: { "service.name": "mine" },
    });
  });

  test("that nobody receives disturb no call and no shutdown, and are told in the log", async () => {
    const args = ["--otlp-endpoint", "http://127.0.0.1:1"];
    const daemon = await startDaemon({ args, env: SOON });
    await daemon.client.host.getHost({});
    const told = () => daemon.logs.some(({ msg }) => msg.startsWith("tracing: "));
    await expect.poll(told, { timeout: 30_000 }).toBe(true);
    await daemon.client.host.getHost({});
    expect(await daemon.stop()).toBe(0);
  });

  test("are off unless asked for", async () => {
    const receiver = await startOtlpReceiver();
    const { client, stop } = await startDaemonWith({ OTEL_EXPORTER_OTLP_ENDPOINT: undefined });
    await client.host.getHost({}, { metadata: traceparent("01") });
    await stop();
    expect(receiver.requests).toEqual([]);
  });
});

async function startDaemonWith(env: Record<string, string | undefined>) {
  const daemon = await startDaemon({ env });
  return { client: daemon.client, stop: () => daemon.stop() };
}
