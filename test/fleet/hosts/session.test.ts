import { BpfmapError, type status } from "@bpfmapd/client";
import {
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  ConnectResponseSchema,
  HostSessionService,
  Liveness,
} from "@bpfmapd/client/proto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";
import { startHost, startRelay, untilConnected, untilHosts } from "../support/fleet.js";

type Frame = MessageInitShape<typeof ConnectRequestSchema>["frame"];

const HELLO: Frame = {
  case: "hello",
  value: { protocolVersion: 1, registration: { hostId: "odd", host: { hostname: "odd" } } },
};

/** A host that says what no daemon would. */
class OddHost {
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #frames: AsyncIterator<ConnectResponse>;

  constructor(relay: TestDaemon) {
    const client = new Client(`unix:${relay.socket}`, credentials.createInsecure());
    onTestFinished(() => client.close());
    this.#stream = client.makeBidiStreamRequest(
      `/${HostSessionService.typeName}/Connect`,
      (frame: ConnectRequest) => Buffer.from(toBinary(ConnectRequestSchema, frame)),
      (bytes: Buffer) => fromBinary(ConnectResponseSchema, bytes),
    );
    this.#stream.on("error", () => {});
    this.#frames = (this.#stream as AsyncIterable<ConnectResponse>)[Symbol.asyncIterator]();
  }

  send(frame: Frame): void {
    this.#stream.write(create(ConnectRequestSchema, { frame }));
  }

  async next(): Promise<ConnectResponse["frame"] | undefined> {
    const { value, done } = await this.#frames.next().catch((error) => {
      throw BpfmapError.from(error);
    });
    return done ? undefined : value.frame;
  }

  end(): void {
    this.#stream.end();
  }
}

describe("a relay", () => {
  let relay: TestDaemon;
  beforeAll(async () => {
    relay = await startRelay("relay-1", { args: ["--fleet-heartbeat-ms", "1000"] });
    return () => relay.dispose();
  });

  it("welcomes a host that says hello, and answers its heartbeats", async () => {
    const host = new OddHost(relay);
    host.send(HELLO);
    expect(await host.next()).toMatchObject({
      case: "welcome",
      value: { protocolVersion: 1, relayId: "relay-1", callCreditBytes: 256 * 1024 },
    });
    host.send({ case: "heartbeat", value: {} });
    expect(await host.next()).toMatchObject({ case: "heartbeat" });
    host.end();
    expect(await host.next()).toBeUndefined();
  });

  it.each<[string, Frame[], status, string]>([
    ["begins with a heartbeat", [{ case: "heartbeat", value: {} }], 9, "SESSION_PROTOCOL"],
    ["says nothing", [{ case: undefined }], 3, "FIELD_INVALID"],
    ["has no id", [hello({ hostId: "" })], 3, "FIELD_INVALID"],
    ["has an id with a slash", [hello({ hostId: "a/b" })], 3, "FIELD_INVALID"],
    ["has a label without a key", [hello({ labels: { "": "x" } })], 3, "FIELD_INVALID"],
    ["speaks version 0", [hello({}, 0)], 3, "FIELD_INVALID"],
  ])("refuses a host that %s", async (_what, frames, code, reason) => {
    const host = new OddHost(relay);
    for (const frame of frames) host.send(frame);
    await expect(host.next()).rejects.toMatchObject({ code, reason });
  });

  it("ends the session of a host that says hello twice, and goes on with frames of no call", async () => {
    const host = new OddHost(relay);
    host.send(HELLO);
    expect(await host.next()).toMatchObject({ case: "welcome" });
    host.send({ case: "end", value: { callId: 99 } });
    host.send({ case: "data", value: { callId: 99, data: Uint8Array.of(1) } });
    host.send({ case: "credit", value: { callId: 99, bytes: 1 } });
    host.send({ case: "heartbeat", value: {} });
    expect(await host.next()).toMatchObject({ case: "heartbeat" });
    host.send(HELLO);
    await expect(host.next()).rejects.toMatchObject({ reason: "SESSION_PROTOCOL" });
  });

  it("ends the session of a host that is silent", async () => {
    const host = new OddHost(relay);
    host.send(HELLO);
    expect(await host.next()).toMatchObject({ case: "welcome" });
    await expect(host.next()).rejects.toMatchObject({ reason: "HOST_UNREACHABLE" });
  });

  it("tells a call on a host that answers with more than a message may have as failed", async () => {
    const host = new OddHost(relay);
    host.send(HELLO);
    await host.next();
    await untilConnected(relay, "odd");
    const request = { typeUrl: "type.googleapis.com/bpfmap.v1.ListMapsRequest" };
    const selector = { hostIds: ["odd"] };
    const results = relay.client.fleet.fanOut({ selector, requests: [request] });
    const first = results.next();
    const beat = setInterval(() => host.send({ case: "heartbeat", value: {} }), 500);
    onTestFinished(() => clearInterval(beat));
    let start = await host.next();
    while (start?.case !== "start") start = await host.next();
    const { callId } = start.value;
    const data = new Uint8Array(64 * 1024);
    for (let part = 0; part < 300; part++) {
      host.send({ case: "data", value: { callId, data, more: true } });
    }
    expect((await first).value?.event).toMatchObject({ case: "result", value: { outcome: 2 } });
    for (let frame = await host.next(); frame?.case !== "cancel"; ) frame = await host.next();
  });
});

function hello(registration: object, protocolVersion = 1): Frame {
  const value = { hostId: "odd", host: { hostname: "odd" }, ...registration };
  return { case: "hello", value: { protocolVersion, registration: value } };
}

it("has another session with a host that stood still for too long, when it goes on", async () => {
  const relay = await startRelay("relay-1", { args: ["--fleet-heartbeat-ms", "1000"] });
  const host = await startHost("h1", [relay]);
  await untilConnected(relay, "h1");
  process.kill(host.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(host.pid, "SIGCONT"));
  await untilHosts(relay, (hosts) => hosts.get("h1")?.liveness === Liveness.LOST);
  process.kill(host.pid, "SIGCONT");
  await untilConnected(relay, "h1");
});

it("leaves a relay that stands still for too long", async () => {
  const args = ["--fleet-heartbeat-ms", "1000"];
  const [still, other] = [await startRelay("r1", { args }), await startRelay("r2", { args })];
  const host = await startHost("h1", [still], { args: ["--join", `unix:${other.socket}`] });
  // Two stores, so that each relay knows its own sessions only.
  const at = (relay: TestDaemon) =>
    untilHosts(relay, (hosts) => hosts.get("h1")?.liveness === Liveness.CONNECTED);
  const first = await Promise.race([at(still).then(() => still), at(other).then(() => other)]);
  const second = first === still ? other : still;
  process.kill(first.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(first.pid, "SIGCONT"));
  await at(second);
  expect(JSON.stringify(host.logs)).toContain("the relay was silent");
});
