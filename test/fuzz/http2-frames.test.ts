import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { Dice } from "./support/dice.js";
import { SEED, seedOf } from "./support/fuzz-size.js";
import { BAD_FRAMES, FLOODS } from "./support/http2-attacks.js";
import { call, frame, RawHttp2 } from "./support/http2-wire.js";
import { Witness } from "./support/witness.js";

/** What waits for the garbage collector behind a flood. */
const SLACK_BYTES = 96 << 20;
const RANDOM_CONNECTIONS = 300;
/** A frame that the server takes for the rest of one before it is answered by nothing. */
const SILENCE_MS = 100;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  // What is made by the first of many connections stays: V8's code, HTTP/2's tables.
  for (let made = 0; made < 50; made++) await attack([call(1), Buffer.alloc(64, made)]);
});
afterAll(() => daemon?.dispose());

/** Sends bytes on a connection of its own, which the daemon closes or goes on with. */
async function attack(parts: readonly Buffer[]): Promise<"answered" | "closed" | "silent"> {
  const connection = await RawHttp2.open(daemon.socket);
  for (const part of parts) await connection.write(part);
  const silence = new Promise<"silent">((resolve) =>
    setTimeout(() => resolve("silent"), SILENCE_MS),
  );
  const outcome = await Promise.race([connection.ping(), silence]);
  connection.destroy();
  await connection.closed;
  return outcome;
}

describe("a connection with", () => {
  it.each(BAD_FRAMES)("%s is closed or goes on, and others are served", async (_title, bytes) => {
    const witness = await Witness.call(daemon);
    await attack([bytes()]);
    // The same behind a call that is good, and byte by byte.
    await attack([call(1), bytes()]);
    await attack(Array.from(bytes().subarray(0, 40), (byte) => Buffer.of(byte)));
    await witness.expectWell(SLACK_BYTES);
  });

  it.each([
    ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["the hello of TLS", Buffer.from("160301020001000001fc0303", "hex")],
    ["a preface with an error in it", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r")],
    ["zeros", Buffer.alloc(70_000)],
  ])("%s instead of HTTP/2 is closed, and others are served", async (_title, bytes) => {
    const witness = await Witness.call(daemon);
    const connection = await RawHttp2.connect(daemon.socket);
    await connection.write(bytes);
    await connection.closed;
    await witness.expectWell(SLACK_BYTES);
  });

  it(`random frames of seed ${SEED} is closed or goes on, and others are served`, async () => {
    const dice = new Dice(seedOf("frames"));
    const witness = await Witness.call(daemon);
    for (let made = 0; made < RANDOM_CONNECTIONS; made++) {
      const parts = Array.from({ length: 1 + dice.number(8) }, () => randomFrame(dice));
      const outcome = await attack(parts);
      expect(["answered", "closed", "silent"]).toContain(outcome);
    }
    await witness.expectWell(SLACK_BYTES);
  });
});

function randomFrame(dice: Dice): Buffer {
  if (dice.chance(0.2)) return call(2 * dice.number(6) + 1);
  const payload = dice.bytes(dice.pick([0, 1, 4, 5, 6, 8, 9, 40, 300]));
  const type = dice.chance(0.95) ? dice.number(10) : dice.number(256);
  const told = dice.chance(0.9) ? payload.length : dice.number(2 ** 24);
  const flags = dice.chance(0.5) ? dice.pick([0, 1, 4, 5, 8, 32]) : dice.number(256);
  return frame(type, flags, dice.pick([0, 1, 1, 3, 3, 2, 2 ** 31 - 1, 2 ** 31]), payload, told);
}

describe("a flood of", () => {
  it.each(FLOODS)(
    "%s takes neither files nor memory, and others are served beside it",
    async (_title, rounds, round, first) => {
      const witness = await Witness.call(daemon);
      const connection = await RawHttp2.open(daemon.socket);
      // What comes back is not read: the answers would have to wait in the daemon.
      connection.stopReading();
      await connection.write(first());
      for (let sent = 0; sent < rounds && !connection.socket.destroyed; sent += 10) {
        const some = Array.from({ length: 10 }, (_, more) => round(sent + more));
        // A daemon that reads no more of it has taken enough.
        if (!(await written(connection, Buffer.concat(some)))) break;
        await witness.isServed();
      }
      await witness.isServed();
      connection.destroy();
      await witness.expectWell(SLACK_BYTES);
    },
    120_000,
  );
});

const STALLED_MS = 2000;

/** Whether bytes leave before long. */
async function written(connection: RawHttp2, bytes: Buffer): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), STALLED_MS);
  });
  const outcome = await Promise.race([connection.write(bytes).then(() => true), stalled]);
  clearTimeout(timer);
  return outcome;
}
