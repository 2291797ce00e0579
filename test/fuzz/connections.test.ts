import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { mapRef, status } from "@bpfmapd/client";
import {
  DumpMapRequestSchema,
  DumpMapResponseSchema,
  MapType,
  WatchRequestSchema,
} from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frames, messagesOf, outcomeOf, RawConnection } from "../service/support/raw-grpc.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  call,
  callHeaders,
  Flag,
  frame,
  headerBlock,
  PREFACE,
  RawHttp2,
  settings,
  Type,
} from "./support/http2-wire.js";
import { Witness } from "./support/witness.js";

const HANDSHAKE_MS = 300;
const CONNECTIONS = 200;
const READERS = 16;
const ELEMENTS = 40_000;
const VALUE_BYTES = 1024;
const MAP_BYTES = ELEMENTS * VALUE_BYTES;
/** What waits for the garbage collector. */
const SLACK_BYTES = 128 << 20;
/** With the daemon's queues for slow readers: a fraction of what they have not taken. */
const READERS_BYTES = (READERS * MAP_BYTES) / 2;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon({
    args: ["--handshake-timeout-ms", String(HANDSHAKE_MS), "--scan-threads", "1"],
  });
  await daemon.client.maps.createMap({
    spec: { type: MapType.HASH, keySize: 4, valueSize: VALUE_BYTES, maxEntries: ELEMENTS },
    hold: { name: "large" },
  });
  await daemon.client.map({ held: "large" }).load(elements());
  // What the first of many connections and dumps make stays. A watch keeps what it knows for
  // a while after its end, so one runs all the time.
  await flood(CONNECTIONS, [PREFACE, settings(), call(1)]);
  const [dump, watch] = await Promise.all([0, 1].map(() => RawConnection.open(daemon.socket)));
  expect((await outcomeOf(startDump(dump!))).status).toBe(status.OK);
  dump!.destroy();
  const watching = startWatch(watch!);
  await once(watching, "data");
  watching.resume();
  return () => watch!.destroy();
});
afterAll(() => daemon?.dispose());

function* elements(): Generator<[Buffer, Buffer]> {
  for (let index = 0; index < ELEMENTS; index++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    yield [key, Buffer.alloc(VALUE_BYTES, index)];
  }
}

/** Opens connections, sends the same on each, and cuts them all. */
async function flood(count: number, words: readonly Buffer[]): Promise<void> {
  const connections = await opened(count);
  await Promise.all(connections.map((connection) => connection.write(...words)));
  for (const connection of connections) connection.destroy();
  await Promise.all(connections.map(({ closed }) => closed));
}

function opened(count: number): Promise<RawHttp2[]> {
  return Promise.all(Array.from({ length: count }, () => RawHttp2.connect(daemon.socket)));
}

function startDump(connection: RawConnection): ClientHttp2Stream {
  const request = create(DumpMapRequestSchema, { map: mapRef({ held: "large" }) });
  const stream = connection.start("bpfmap.v1.MapService/DumpMap");
  stream.end(frames(toBinary(DumpMapRequestSchema, request)));
  return stream;
}

function startWatch(connection: RawConnection): ClientHttp2Stream {
  const request = create(WatchRequestSchema, { map: mapRef({ held: "large" }) });
  const stream = connection.start("bpfmap.v1.MapService/Watch");
  stream.on("error", () => {}); // it is cut
  stream.end(frames(toBinary(WatchRequestSchema, request)));
  return stream;
}

const silences: [title: string, words: readonly Buffer[]][] = [
  ["say nothing", []],
  ["say a byte", [PREFACE.subarray(0, 1)]],
  ["say half a preface", [PREFACE.subarray(0, 12)]],
  ["say the preface and no settings", [PREFACE]],
  ["say half their settings", [PREFACE, settings([4, 65_535]).subarray(0, 12)]],
];

describe("connections that", () => {
  it.each(silences)("%s are closed before long, and others are served", async (_, words) => {
    const witness = await Witness.call(daemon);
    const connections = await opened(CONNECTIONS);
    await Promise.all(connections.map((connection) => connection.write(...words)));
    await witness.isServed();
    await Promise.all(connections.map(({ closed }) => closed));
    await witness.expectWell(SLACK_BYTES);
  });

  it("say their preface byte by byte, and too slowly, are closed", async () => {
    const witness = await Witness.call(daemon);
    const connection = await RawHttp2.connect(daemon.socket);
    const pause = (2 * HANDSHAKE_MS) / PREFACE.length;
    for (const byte of PREFACE) {
      await connection.write(Buffer.of(byte));
      await Promise.race([connection.closed, new Promise((done) => setTimeout(done, pause))]);
    }
    await connection.closed;
    await witness.expectWell(SLACK_BYTES);
  });

  it("have agreed on HTTP/2 may then be silent", async () => {
    const connection = await RawHttp2.open(daemon.socket);
    await connection.ping();
    await new Promise((done) => setTimeout(done, 3 * HANDSHAKE_MS));
    expect(await connection.ping("still up")).toBe("answered");
    connection.destroy();
  });

  const opening = [PREFACE, settings()];
  const headers = headerBlock(callHeaders());
  const call1 = frame(Type.HEADERS, Flag.END_HEADERS, 1, headers);
  it.each<[title: string, words: readonly Buffer[]]>([
    ["half a frame's header", [...opening, frame(Type.PING, 0, 0).subarray(0, 5)]],
    ["half of a call's headers", [...opening, frame(Type.HEADERS, 0, 1, headers)]],
    ["the headers of a call", [...opening, call1]],
    ["half a message", [...opening, call1, frame(Type.DATA, 0, 1, Buffer.of(0, 0, 0, 1, 0, 1))]],
  ])("stop at %s take nothing from others, and leave nothing when they go", async (_, words) => {
    const witness = await Witness.call(daemon);
    const connections = await opened(CONNECTIONS);
    await Promise.all(connections.map((connection) => connection.write(...words)));
    await witness.isServed();
    // One half closes its side first, as a process that ends does, the other is cut.
    for (const [index, connection] of connections.entries()) {
      if (index % 2) connection.destroy();
      else connection.socket.end();
    }
    await witness.isServed();
    for (const connection of connections) connection.destroy();
    await witness.expectWell(SLACK_BYTES);
  });

  it("send a call byte by byte are answered", async () => {
    const connection = await RawHttp2.connect(daemon.socket);
    for (const byte of Buffer.concat([PREFACE, settings(), call(1)])) {
      await connection.write(Buffer.of(byte));
    }
    expect(await connection.ping()).toBe("answered");
    connection.destroy();
  });

  it.each<[title: string, words: readonly Buffer[]]>([
    ["say nothing", []],
    ["agree on HTTP/2", opening],
    ["make a call", [...opening, call(1)]],
    ["make a call of a stream", [...opening, call(1, "grpc.health.v1.Health/Watch")]],
  ])("come in floods, %s and go leave nothing behind", async (_, words) => {
    const witness = await Witness.call(daemon);
    for (let round = 0; round < 5; round++) {
      await flood(CONNECTIONS, words);
      await witness.isServed();
    }
    await witness.expectWell(SLACK_BYTES);
  });
});

describe("readers that take one message and no more", () => {
  it("of dumps keep neither others nor memory, and get all in the end", async () => {
    const witness = await Witness.call(daemon);
    const connections = await Promise.all(
      Array.from({ length: READERS }, () => RawConnection.open(daemon.socket)),
    );
    const dumps = connections.map((connection) => {
      const stream = startDump(connection);
      const ended = outcomeOf(stream);
      stream.once("data", () => stream.pause());
      return { stream, ended, paused: once(stream, "pause") };
    });
    await Promise.all(dumps.map(({ paused }) => paused));
    for (let round = 0; round < 20; round++) await witness.isServed();
    witness.expectSmall(READERS_BYTES);
    for (const { stream } of dumps) stream.resume();
    for (const { ended } of dumps) {
      const { status: code, body } = await ended;
      expect(code).toBe(status.OK);
      expect(elementsIn(messagesOf(body))).toBe(ELEMENTS);
    }
    for (const connection of connections) connection.destroy();
    await witness.expectWell(READERS_BYTES);
  }, 180_000);

  it("of watches keep neither others nor memory", async () => {
    const witness = await Witness.call(daemon);
    const connections = await Promise.all(
      Array.from({ length: READERS }, () => RawConnection.open(daemon.socket)),
    );
    const watches = connections.map((connection) => startWatch(connection));
    await Promise.all(watches.map((stream) => once(stream, "readable")));
    const large = daemon.client.map({ held: "large" });
    const some = [...elements()].slice(0, 1000);
    for (let round = 0; round < 10; round++) {
      await large.updateMany(some.map(([key, value]) => [key, value.fill(round)]));
      await witness.isServed();
    }
    witness.expectSmall(READERS_BYTES);
    for (const connection of connections) connection.destroy();
    await witness.expectWell(READERS_BYTES);
  });
});

function elementsIn(messages: readonly Buffer[]): number {
  return messages
    .map((message) => fromBinary(DumpMapResponseSchema, message).kind)
    .reduce((sum, kind) => sum + (kind.case === "elements" ? kind.value.count : 0), 0);
}
