import { gzipSync } from "node:zlib";
import { mapRef, status } from "@bpfmapd/client";
import { GetMapRequestSchema, HostService, MapService } from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fdCount, residentBytes } from "../service/support/daemon-state.js";
import { frames, inParallel, RawConnection } from "../service/support/raw-grpc.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  await daemon.client.host.getHost({});
});
afterAll(() => daemon?.dispose());

const SWOLLEN_BYTES = 128 << 20;
const BOMBS = 20;
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

it("messages that swell past the limit when they are unpacked are refused, and not unpacked", async () => {
  const files = fdCount(daemon.pid);
  const connection = await RawConnection.open(daemon.socket);
  const bomb = frames(gzipSync(Buffer.alloc(SWOLLEN_BYTES), { level: 1 }));
  bomb[0] = 1;
  const headers = { "grpc-encoding": "gzip" };
  await connection.call(GET_MAP, bomb, headers);
  const before = residentBytes(daemon.pid);
  await inParallel(BOMBS, BOMBS, async () => {
    const outcome = await connection.call(GET_MAP, bomb, headers);
    expect(outcome).toMatchObject({ status: status.RESOURCE_EXHAUSTED });
    expect(outcome.message).toContain("limits.max_message_bytes");
  });
  expect(residentBytes(daemon.pid)).toBeLessThan(before + (BOMBS * SWOLLEN_BYTES) / 3);
  connection.destroy();
  await expectWell(files);
});
