// Changes a map as fast as it can, from a process of its own, until its input ends.
import { ElementCalls, mapGetFdById } from "#dist/kernel/index.js";

const { id, keySize, valueStride, keys, deletes } = JSON.parse(process.argv[2]);
const calls = new ElementCalls(mapGetFdById(id), keySize, valueStride);
const rows = keys.map((key) => Buffer.from(key, "hex"));
let state = 12345;
const random = (below) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state >>> 8) % below;
};
function burst() {
  for (let step = 0; step < 2000; step++) {
    calls.key.set(rows[random(rows.length)]);
    if (deletes && random(2) === 0) calls.delete();
    else {
      calls.value.fill(random(256));
      calls.update();
    }
  }
  setImmediate(burst);
}
process.stdin.resume().on("end", () => process.exit(0));
process.stdout.write("moving\n");
burst();
