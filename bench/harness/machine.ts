import { cpus, release, totalmem } from "node:os";
import { run } from "./process.js";

/** What the figures depend on. Nothing in it tells which machine it was. */
export interface Machine {
  cpuModel: string;
  cpus: number;
  memoryGiB: number;
  kernel: string;
  node: string;
  bpftool: string;
  gcc: string;
}

export async function machine(): Promise<Machine> {
  const processors = cpus();
  return {
    cpuModel: processors[0]?.model ?? "",
    cpus: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release().replace(/[-+].*/, ""), // what follows is the build's own name
    node: process.versions.node,
    bpftool: await firstLine("bpftool", "version"),
    gcc: await firstLine("gcc", "--version"),
  };
}

async function firstLine(program: string, argument: string): Promise<string> {
  const { stdout } = await run(program, [argument]);
  return stdout.split("\n")[0] ?? "";
}
