import { readFileSync } from "node:fs";
import { WatchFidelity, WatchSource, WriterKind } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { Hand, makeMap } from "../maps/support/kernel-map.js";
import { startDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

/** The kernel's name of the thread that makes the calls here. */
const COMM = readFileSync("/proc/thread-self/comm", "utf8").trim();

it("tells who made a system call, where the kernel lets the daemon see calls", async (context) => {
  const daemon = await startDaemon();
  const map = makeMap("HASH");
  const reader = new WatchReader(
    daemon.client,
    // A scan that comes first does not know who it was.
    watchRequest(
      { id: map.id },
      { fidelity: WatchFidelity.BEST_AVAILABLE, pollInterval: durationFromMs(3_600_000) },
    ),
  );
  await reader.synced();
  if (reader.created.source === WatchSource.POLL) {
    context.skip(`this kernel shows no calls: ${reader.created.sourceReason}`);
  }
  const hand = new Hand(map);
  const key = Buffer.from([1, 2, 3, 4]);
  const writer = { pid: process.pid, comm: COMM, kind: WriterKind.SYSCALL };

  hand.update(key, Buffer.alloc(8, 5));
  await reader.untilHolds(() => reader.contents.size === 1);
  expect(reader.takeRows()).toMatchObject([{ key: "01020304", shown: "05".repeat(8), writer }]);

  hand.delete(key);
  await reader.untilHolds(() => reader.contents.size === 0);
  expect(reader.takeRows()).toMatchObject([{ key: "01020304", shown: undefined, writer }]);
});
