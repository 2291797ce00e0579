import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "./daemon.js";

/** Part of one CPU that a daemon takes while `seconds` go by. */
export async function cpuShare(daemon: Daemon, seconds: number): Promise<number> {
  const [start, before] = [performance.now(), await daemon.cpuSeconds()];
  await sleep(seconds * 1000);
  const used = (await daemon.cpuSeconds()) - before;
  return used / ((performance.now() - start) / 1000);
}
