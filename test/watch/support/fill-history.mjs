// Fills the history of a map with changes of one element, as they come from a watch thread, and
// prints how much resident memory it takes for each byte that it may.
import { setImmediate as turn } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { ChangeLog, changesBuffers, receivedChanges } from "#dist/watch/changes.js";
import { History } from "#dist/watch/history.js";

const MIB = 1 << 20;
const key = Buffer.alloc(4);
const value = { values: Buffer.alloc(8), at: 0 };

/** A history that has begun to drop what is oldest. */
async function fullHistory(bytes) {
  const history = new History(bytes, 0);
  const { port1, port2 } = new MessageChannel();
  port2.on("message", ({ scan, changes }) => history.append(receivedChanges(changes), scan));
  while (history.after(0) !== undefined) {
    for (let change = 0; change < 500; change++) {
      const log = new ChangeLog(4, 8);
      log.put(key, 0, value, change % 2 ? value : "absent");
      const changes = log.take();
      const now = Date.now();
      const times = { startedMs: now, finishedMs: now + 1, busyMs: 0.25 };
      const scan = { ...times, complete: true, shadowBytes: 4096 };
      port1.postMessage({ scan, changes }, changesBuffers(changes));
    }
    await turn();
  }
  port1.close();
  globalThis.gc();
  return history;
}

// The first one also takes what the process takes for the work as such.
const first = await fullHistory(16 * MIB);
const before = process.memoryUsage.rss();
const second = await fullHistory(128 * MIB);
const part = (process.memoryUsage.rss() - before) / (128 * MIB);
console.log(JSON.stringify({ part, revisions: [first.latest, second.latest] }));
