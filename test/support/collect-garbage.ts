import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** Frees all that can be freed, what finalizers let go of too; answers what memory is in use after. */
export async function collectGarbage(): Promise<NodeJS.MemoryUsage> {
  for (let round = 0; round < 3; round++) {
    gc();
    await sleep(10);
  }
  return process.memoryUsage();
}
