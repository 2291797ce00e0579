// Changes values of a map by bpf(2) at an even pace, for as long as each question asks.
// Arguments: MAP_ID KEY_SIZE VALUE_SIZE COUNT
import { setTimeout as sleep } from "node:timers/promises";
import { ElementCalls, mapGetFdById } from "#dist/kernel/index.js";
import { elements } from "../harness/elements.js";
import { serve } from "./serve.js";

export interface WriterAnswer {
  changes: number;
}

const [mapId = 0, keySize = 0, valueSize = 0, count = 0] = process.argv.slice(2).map(Number);
const calls = new ElementCalls(mapGetFdById(mapId)!, keySize, valueSize);
let changes = 0;

function change(): void {
  changes++;
  const index = Math.imul(changes, 0x9e3779b1) >>> 0;
  calls.key.set(elements({ name: "", keySize, valueSize }, index % count, 1).keys);
  calls.value.writeUInt32LE(changes);
  if (calls.update() !== undefined) throw new Error("the update was refused");
}

serve(async ({ seconds, perSecond }: { seconds: number; perSecond: number }) => {
  const [start, before] = [performance.now(), changes];
  for (let now = start; now < start + seconds * 1000; now = performance.now()) {
    const due = ((now - start) / 1000) * perSecond;
    while (changes - before < due) change();
    await sleep(10);
  }
  return { changes: changes - before } satisfies WriterAnswer;
});
