import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountPrivateBpffs } from "../../support/daemon.js";

/** What a program printed and how it ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Runs bpftool: the oracle for what bpfmapctl is to print. */
export function bpftool(...args: string[]): Ran {
  const { stdout, stderr, status, error } = spawnSync("bpftool", args, {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  if (error) throw error;
  return { stdout, stderr, code: status };
}

/** Runs bpftool and fails unless it succeeds. */
export function mustBpftool(...args: string[]): string {
  const { stdout, stderr, code } = bpftool(...args);
  if (code !== 0) throw new Error(`bpftool ${args.join(" ")}: ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** A bpffs of one test file, gone after it. */
export interface PrivateBpffs {
  readonly path: string;
  dispose(): void;
}

export function privateBpffs(): PrivateBpffs {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapctl-test-"));
  const path = join(directory, "bpffs");
  mountPrivateBpffs(path);
  return {
    path,
    dispose() {
      spawnSync("umount", ["-l", path]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Bytes as words of a command line. */
export function dataWords(bytes: Uint8Array | readonly number[]): string[] {
  return [...bytes].map(String);
}

/** `size` bytes that look like nothing in particular, the same ones for a seed. */
export function someBytes(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (seed * 31 + index * 7 + 1) & 255);
}
