import { readFileSync } from "node:fs";

/**
 * CPUs that per-CPU maps have a slot for, ascending: slot i belongs to the i-th. Not
 * what `os.cpus()` says, which counts the CPUs that run.
 */
export function possibleCpus(): number[] {
  return readCpuList("/sys/devices/system/cpu/possible");
}

/** CPUs that run now, ascending. */
export function onlineCpus(): number[] {
  return readCpuList("/sys/devices/system/cpu/online");
}

function readCpuList(path: string): number[] {
  return parseCpuList(readFileSync(path, "latin1"));
}

/** Parses the kernel's list format: "0-3,8,10-11". */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(",")) {
    const [first, last = first] = part.split("-");
    if (!first) continue;
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}
