import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";

/** USER_HZ, the same on every Linux that Node.js runs on. */
const TICKS_A_SECOND = 100;

/** CPU time of all threads of a process since its start, in seconds. */
export async function cpuSecondsOf({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name before the last bracket can hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
