import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { mapRef, status } from "@bpfmapd/client";
import { GetMapRequestSchema, HostService, MapService } from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fdCount } from "./support/daemon-state.js";
import { Dice } from "./support/random-messages.js";
import { frames, inParallel, RawConnection } from "./support/raw-grpc.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  await daemon.client.host.getHost({});
});
afterAll(() => daemon?.dispose());

const GET_MAP = "bpfmap.v1.MapService/GetMap";
const good = () =>
  toBinary(GetMapRequestSchema, create(GetMapRequestSchema, { map: mapRef({ held: "none" }) }));

/** The daemon answers others as before, has no file more, and knows of no defect of its own. */
async function expectWell(filesBefore: number): Promise<void> {
  expect((await daemon.client.host.getHost({})).host?.bootId).not.toBe("");
  const files = () => expect(fdCount(daemon.pid)).toBeLessThanOrEqual(filesBefore);
  await vi.waitFor(files, { timeout: 20_000, interval: 50 });
  expect(daemon.logs.filter(({ level }) => level === "error")).toEqual([]);
}

const bodies: [title: string, body: () => Uint8Array][] = [
  ["no message", () => Buffer.alloc(0)],
  ["half a frame's header", () => Buffer.from([0, 0, 0])],
  ["a frame longer than what follows", () => Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), good()])],
  ["a frame of 4 GiB", () => Buffer.from([0, 255, 255, 255, 255, 1, 2, 3])],
  [
    "a frame that claims to be compressed",
    () => {
      const body = frames(good());
      body[0] = 1;
      return body;
    },
  ],
  [
    "a frame with a flag that does not exist",
    () => {
      const body = frames(good());
      body[0] = 9;
      return body;
    },
  ],
  ["two messages", () => frames(good(), good())],
  ["a message and a rest", () => Buffer.concat([frames(good()), Buffer.from([0, 0])])],
];

describe("a unary call", () => {
  it.each(bodies)("with %s ends, and the daemon is well", async (_title, body) => {
    const files = fdCount(daemon.pid);
    const connection = await RawConnection.open(daemon.socket);
    const { status: code } = await connection.call(GET_MAP, body());
    expect(code).not.toBe(status.OK);
    connection.destroy();
    await expectWell(files);
  });

  it("with bytes that are no message is told so, for every RPC", async () => {
    const connection = await RawConnection.open(daemon.socket);
    // A field with the wire type 7, which does not exist.
    const nonsense = frames(Buffer.from([0x0f, 0xff, 0xff]));
    for (const rpc of [...MapService.methods, ...HostService.methods]) {
      const outcome = await connection.call(`${rpc.parent.typeName}/${rpc.name}`, nonsense);
      expect(outcome, rpc.name).toMatchObject({ status: status.INVALID_ARGUMENT });
      expect(outcome.message).toContain(rpc.input.typeName);
    }
    connection.destroy();
  });

  it("of a method that does not exist is UNIMPLEMENTED", async () => {
    const connection = await RawConnection.open(daemon.socket);
    for (const rpc of ["bpfmap.v1.MapService/NoSuch", "no.such.Service/GetMap", ""]) {
      expect((await connection.call(rpc, frames(good()))).status).toBe(status.UNIMPLEMENTED);
    }
    connection.destroy();
  });
});

it("random bodies leave the daemon well", async () => {
  const files = fdCount(daemon.pid);
  const dice = new Dice(5);
  const connection = await RawConnection.open(daemon.socket);
  const rpcs = [...MapService.methods, ...HostService.methods];
  await inParallel(3000, 50, async () => {
    const rpc = dice.pick(rpcs);
    await connection.call(`${rpc.parent.typeName}/${rpc.name}`, dice.bytes(dice.number(64)));
  });
  connection.destroy();
  await expectWell(files);
});

it("connections that speak no HTTP/2 leave the daemon well", async () => {
  const files = fdCount(daemon.pid);
  const dice = new Dice(6);
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  for (let made = 0; made < 60; made++) {
    const socket = connectSocket(daemon.socket).on("error", () => {});
    await once(socket, "connect");
    const junk = dice.bytes(dice.number(200));
    socket.write(made % 2 ? Buffer.concat([preface, junk]) : junk);
    if (made % 3 === 0) socket.destroy();
    else socket.end();
    socket.resume();
    await once(socket, "close");
  }
  await expectWell(files);
});
