import { ResyncReason } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, it, onTestFinished } from "vitest";
import { BatchCalls, closeFd, mapGetFdById } from "#dist/kernel/index.js";
import { scrape } from "../daemon/support/scrape.js";
import { hex, u32 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

const ELEMENTS = 20_000;
/** Rounds of writing every element: a million changes. */
const ROUNDS = 50;
const VALUE_SIZE = 64;
const MIB = 1 << 20;
/** Bytes of changes that are kept of a map. */
const BUDGET = 8 * MIB;
/** So many that what each of them costs shows beside what the collector lets go late. */
const SLOW_READERS = 8;

/** Writes every element by bpf(2): all bytes of its value are the round's number. */
function allWriter(mapId: number): (round: number) => void {
  const fd = mapGetFdById(mapId)!;
  const batch = new BatchCalls(fd, 4, VALUE_SIZE, ELEMENTS);
  onTestFinished(() => {
    batch.release();
    closeFd(fd);
  });
  for (let key = 0; key < ELEMENTS; key++) batch.keys.writeUInt32LE(key, key * 4);
  return (round) => {
    batch.values.fill(round);
    expect(batch.update(ELEMENTS)).toBeUndefined();
  };
}

/** Memory of a daemon, in bytes: what its buffers take now, and all that it has. */
async function memoryOf(daemon: TestDaemon): Promise<{ buffers: number; resident: number }> {
  const metrics = await scrape(daemon);
  const buffers = metrics.value("nodejs_external_memory_bytes") as number;
  return { buffers, resident: metrics.value("process_resident_memory_bytes") as number };
}

it("subscribers that do not read while a million changes happen cost their budget, disturb nobody and converge", async () => {
  const daemon = await startDaemon({
    args: [`--watch-history-bytes=${BUDGET}`, "--metrics-listen=127.0.0.1:0"],
  });
  const shape = shapeOf("HASH", { valueSize: VALUE_SIZE, maxEntries: ELEMENTS });
  const map = await makeMap(daemon, shape);
  const valueIn = (round: number) => hex(Buffer.alloc(VALUE_SIZE, round));
  const writeAll = allWriter(map.id);
  writeAll(0);
  const watch = (filter?: { keys: Buffer }) =>
    new WatchReader(
      daemon.client,
      watchRequest({ id: map.id }, { pollInterval: durationFromMs(20), filter }),
    );

  // Another one, who is after one element, must hear of each round.
  const key = u32(7);
  const quick = watch({ keys: key });
  await quick.synced();
  const told: (string | undefined)[] = [];
  let rounds = 0;
  const run = async (count: number) => {
    const least = { buffers: Number.POSITIVE_INFINITY, resident: Number.POSITIVE_INFINITY };
    for (const last = rounds + count; rounds < last; ) {
      writeAll(++rounds);
      await quick.untilHolds(() => quick.contents.get(hex(key)) === valueIn(rounds));
      told.push(...quick.takeRows().map(({ shown }) => shown));
      const { buffers, resident } = await memoryOf(daemon);
      // What nobody needs any more is let go at some time.
      least.buffers = Math.min(least.buffers, buffers);
      least.resident = Math.min(least.resident, resident);
    }
    return least;
  };

  const usual = await run(10);
  const slow = Array.from({ length: SLOW_READERS }, () => watch());
  for (const reader of slow) await reader.synced();
  await run(10);
  const meanwhile = await run(ROUNDS - 10);
  expect(meanwhile.buffers - usual.buffers).toBeLessThan(SLOW_READERS * BUDGET);
  // Kept for each reader, the changes would take 70 MiB eight times.
  expect(meanwhile.resident - usual.resident).toBeLessThan(SLOW_READERS * 32 * MIB);
  expect(told).toEqual(Array.from({ length: rounds }, (_, number) => valueIn(number + 1)));

  for (const reader of slow) {
    let reason: ResyncReason | undefined;
    for (let isRight = false; !isRight; ) {
      const message = await reader.next();
      if (message?.case === "resync") ({ reason } = message.value);
      if (message?.case !== "bookmark") continue;
      const values = [...reader.contents.values()];
      isRight = values.length === ELEMENTS && values.every((one) => one === valueIn(rounds));
    }
    expect(reason).toBe(ResyncReason.OVERFLOW);
  }
});
