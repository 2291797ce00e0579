import { ResyncReason, WatchFidelity, type WatchWriter, WriterKind } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import {
  Assembler,
  AttachType,
  type Btf,
  closeFd,
  FP,
  ProgramType,
  programLoad,
  R1,
  R2,
  R3,
  R4,
  rawTracepointOpen,
  readKernelBtf,
} from "#dist/kernel/index.js";
import { Hand, type KernelMap, makeMap } from "../../maps/support/kernel-map.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { WatchReader, watchRequest } from "../../watch/support/watch-reader.js";
import { BURST_KEYS, burst, burstKey, numberIn } from "../support/burst.js";

const UPDATES = 100_000;

/** A helper that the daemon's programs call when they tell of a call. */
const HELPER = "bpf_get_current_comm";

let daemon: TestDaemon;

beforeAll(async () => {
  // A record takes 56 bytes of the ring; the history keeps what a reader has yet to get.
  const args = ["--watch-trace-ring-bytes=16MiB", "--watch-history-bytes=64MiB"];
  daemon = await startDaemon({ args });
  return () => daemon.dispose();
});

test("100,000 updates by a program in one burst are all told, in order", async () => {
  const { map, reader } = await stage();
  burst(map, UPDATES);
  let expected = 0;
  let wrong = 0;
  await reader.untilHolds(() => {
    for (const { key, shown, writer } of reader.takeRows()) {
      if (!isUpdate(expected++, key, shown, writer)) wrong++;
    }
    return expected >= UPDATES;
  });
  expect({ expected, wrong }).toEqual({ expected: UPDATES, wrong: 0 });
});

test("a write from inside of the daemon's own program, which the kernel does not trace, is told as lost", async () => {
  const { map, reader } = await stage();
  const hand = new Hand(map);
  const detach = writeWithin(map, key(2), 22);
  hand.update(key(1), Buffer.alloc(8, 1));
  detach();
  const resync = await reader.until("resync");
  expect(resync.reason).toBe(ResyncReason.TRACE_LOST);
  expect(resync.lost).toBe(1n);
  await reader.synced();
  expect(reader.contents).toEqual(hand.contents());
  expect(reader.contents.size).toBe(2);
});

/** A map that is watched with scans each second. */
async function stage() {
  const map = makeMap("HASH", { maxEntries: BURST_KEYS });
  const reader = new WatchReader(
    daemon.client,
    watchRequest(
      { id: map.id },
      { fidelity: WatchFidelity.EVERY_CALL, pollInterval: durationFromMs(1000) },
    ),
  );
  await reader.synced();
  return { map, reader };
}

function isUpdate(
  number: number,
  key: string,
  shown: string | undefined,
  writer: WatchWriter | undefined,
): boolean {
  return (
    writer?.kind === WriterKind.PROGRAM &&
    writer.pid === process.pid &&
    numberIn(shown) === BigInt(number) &&
    key === burstKey(number)
  );
}

/** Has a program put an element whenever the helper is called; answers how to end that. */
function writeWithin(map: KernelMap, where: Buffer, value: number): () => void {
  const instructions = new Assembler()
    .store("u32", FP, -4, where.readUInt32LE())
    .store("u64", FP, -16, value)
    .loadMap(R1, map.fd)
    .mov(R2, FP)
    .add(R2, -4)
    .mov(R3, FP)
    .add(R3, -16)
    .mov(R4, 0)
    .call("map_update_elem")
    .return(0)
    .build();
  const program = programLoad({
    type: ProgramType.TRACING,
    expectedAttachType: AttachType.TRACE_FENTRY,
    attachBtfId: (readKernelBtf() as Btf).findOne(HELPER, "func"),
    instructions,
  });
  const link = rawTracepointOpen({ programFd: program });
  let isAttached = true;
  const detach = () => {
    if (!isAttached) return;
    isAttached = false;
    closeFd(link);
    closeFd(program);
  };
  onTestFinished(detach);
  return detach;
}

function key(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
