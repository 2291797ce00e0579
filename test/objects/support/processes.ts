import { readdirSync } from "node:fs";

/** How many files a process has open. */
export function openFds(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
