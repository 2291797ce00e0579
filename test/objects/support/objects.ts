import { spawnSync } from "node:child_process";
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import {
  Assembler,
  cgroup2Mount,
  closeFd,
  objPin,
  type ProgramLoad,
  ProgramType,
  programInfo,
  programLoad,
} from "#dist/kernel/index.js";
import { uniqueName } from "../../service/support/plain-map.js";
import type { TestDaemon } from "../../support/daemon.js";

/** A loaded program; gone when the test ends. */
export interface TestProgram {
  readonly fd: number;
  readonly id: number;
}

/** Loads a program: one that returns 0 unless another is given, and a socket filter. */
export function loadProgram(
  load: Partial<ProgramLoad> = {},
  program = new Assembler().return(0),
): TestProgram {
  const instructions = program.build();
  const fd = programLoad({ type: ProgramType.SOCKET_FILTER, ...load, instructions });
  onTestFinished(() => closeFd(fd));
  return { fd, id: programInfo(fd).id };
}

/** Pins a program below the daemon's root; the pin goes with the daemon's bpffs. */
export function pinProgram(daemon: TestDaemon, { fd }: TestProgram): string {
  const path = `${daemon.bpffs}/${uniqueName()}`;
  objPin(path, fd);
  return path;
}

/** A cgroup of version 2 of its own; gone when the test ends. */
export function makeCgroup(): { readonly path: string; readonly id: bigint } {
  const path = `/bpfmapd-test-${uniqueName()}`;
  const directory = join(cgroup2Mount() as string, path);
  mkdirSync(directory);
  onTestFinished(() => rmdirSync(directory));
  return { path, id: statSync(directory, { bigint: true }).ino };
}

/** A pair of virtual network interfaces; gone when the test ends. */
export function makeInterfaces(): readonly [string, string] {
  const name = uniqueName().replaceAll("_", "").slice(0, 12);
  const pair = [`${name}a`, `${name}b`] as const;
  run("ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1]);
  onTestFinished(() => void spawnSync("ip", ["link", "del", pair[0]]));
  return pair;
}

/** Runs a command that must succeed. */
export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: ${stderr || error || `status ${status}`}`);
}
