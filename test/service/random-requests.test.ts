import { status } from "@bpfmapd/client";
import { HostService, LoadMapRequestSchema, MapService } from "@bpfmapd/client/proto";
import { type DescMethod, fromBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fdCount } from "./support/daemon-state.js";
import { fieldMakers, HOLDS, messageMenders } from "./support/random-fields.js";
import { Dice, MessageMaker } from "./support/random-messages.js";
import { RandomStage } from "./support/random-stage.js";
import { frames, inParallel, type Outcome, RawConnection } from "./support/raw-grpc.js";

const REQUESTS = 10_000;
/** More at a time than limits.max_scans, so that this limit is met too. */
const AT_A_TIME = 100;
const SEED = 20_201_126;

/** What a request may be answered with, however bad it is. Not UNKNOWN, not INTERNAL. */
const DECENT: ReadonlySet<number | undefined> = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.ABORTED,
  status.UNIMPLEMENTED,
]);

let daemon: TestDaemon;
let connection: RawConnection;
beforeAll(async () => {
  // One thread, which comes with the first dump and keeps its files.
  daemon = await startDaemon({ args: ["--scan-threads", "1"] });
  connection = await RawConnection.open(daemon.socket);
  const warm = await RandomStage.set(daemon);
  await shower(method("DumpMap"), warm, 500);
  await warm.strike();
});
afterAll(async () => {
  connection?.destroy();
  await daemon?.dispose();
});

/** All but those whose answers do not end by themselves. */
const METHODS = [...MapService.methods, ...HostService.methods].filter(
  ({ name }) => name !== "Watch" && name !== "ReadRecords",
);
const method = (name: string) => METHODS.find((one) => one.name === name)!;

/** Sends random requests to a method; answers how many got which status. */
async function shower(rpc: DescMethod, stage: RandomStage, count: number) {
  const dice = new Dice(SEED + METHODS.indexOf(rpc as never));
  const maker = new MessageMaker(dice, fieldMakers(stage), messageMenders(stage));
  const statuses = new Map<string, number>();
  await inParallel(count, AT_A_TIME, async () => {
    const messages = randomRequest(rpc, maker, dice);
    const outcome = await connection.call(
      `${rpc.parent.typeName}/${rpc.name}`,
      frames(...messages),
    );
    expect(DECENT.has(outcome.status), described(rpc, messages, outcome)).toBe(true);
    const name = status[outcome.status!];
    statuses.set(name!, (statuses.get(name!) ?? 0) + 1);
  });
  return statuses;
}

function randomRequest(rpc: DescMethod, maker: MessageMaker, dice: Dice): Uint8Array[] {
  if (dice.chance(0.05)) return [dice.bytes(dice.number(40))];
  const message = maker.bytes(rpc.input);
  if (dice.chance(0.05)) return [message.subarray(0, dice.number(message.length))];
  if (rpc.input !== LoadMapRequestSchema) return [message];
  const kinds = ["start", ...dice.pick([[], ["elements"], ["elements", "elements"], ["start"]])];
  return kinds.map(() => maker.bytes(rpc.input));
}

function described(rpc: DescMethod, messages: Uint8Array[], outcome: Outcome): string {
  const told = messages.map((bytes) => {
    try {
      return toJsonString(rpc.input, fromBinary(rpc.input, bytes));
    } catch {
      return Buffer.from(bytes).toString("hex");
    }
  });
  const name = outcome.status === undefined ? "no status" : status[outcome.status];
  return `${rpc.name} answered ${name} (${outcome.message}) to ${told.join(" ")}`;
}

describe(`after ${REQUESTS} random requests`, () => {
  it.each(METHODS.map((rpc) => rpc.name))(
    "to %s the daemon is well and has nothing left over",
    async (name) => {
      const filesBefore = fdCount(daemon.pid);
      const stage = await RandomStage.set(daemon);
      if (name === "ReleaseMap" || name === "KeepAlive") await stage.holdUnder(HOLDS);
      const statuses = await shower(method(name), stage, REQUESTS);
      expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
      if (process.env.SHOW) console.log(name, [...statuses]);
      await stage.strike();
      expect(connection.isOpen).toBe(true);
      await vi.waitFor(() => expect(stage.leftovers()).toEqual({ open: [], pins: [], maps: [] }), {
        timeout: 20_000,
        interval: 50,
      });
      await vi.waitFor(() => expect(fdCount(daemon.pid)).toBeLessThanOrEqual(filesBefore), {
        timeout: 20_000,
        interval: 50,
      });
      expect(daemon.logs.filter(({ level }) => level !== "info")).toEqual([]);
    },
    180_000,
  );
});
