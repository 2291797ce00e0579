// Changes a map as fast as it can until it is told to stop: what a busy host does.
import { parentPort, workerData } from "node:worker_threads";
import { ElementCalls } from "#dist/kernel/index.js";

const { fd, keySize, valueStride, keys, stop, turns } = workerData;
const calls = new ElementCalls(fd, keySize, valueStride);
const rows = Array.from({ length: keys.length / keySize }, (_, row) =>
  Buffer.from(keys.subarray(row * keySize, (row + 1) * keySize)),
);
let state = 12345;
const random = (below) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state >>> 8) % below;
};
while (Atomics.load(stop, 0) === 0) {
  for (let step = 0; step < 256; step++) {
    calls.key.set(rows[random(rows.length)]);
    if (random(2) === 0) calls.delete();
    else {
      calls.value.fill(random(256));
      calls.update();
    }
  }
  Atomics.add(turns, 0, 1);
}
calls.release();
parentPort.close();
