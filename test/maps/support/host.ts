import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { MapHost, type MapHostOptions, type MapLimits } from "#dist/maps/index.js";

export const LIMITS: MapLimits = {
  dedupMemoryBytes: 64 << 20,
  replaceMemoryBytes: 256 << 20,
  maxMessageBytes: 16 << 20,
  maxScans: 16,
  scanThreads: 2,
};

/** A temporary directory with a bpffs of its own. */
export interface TestBpffs {
  /** The directory that the bpffs is in. */
  readonly directory: string;
  /** Where the bpffs is mounted. */
  readonly root: string;
  remove(): void;
}

/** Mounts a bpffs that nobody else uses; `remove` must be called. */
export function mountBpffs(): TestBpffs {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
  const root = join(directory, "bpffs");
  mkdirSync(root);
  const remove = () => {
    spawnSync("umount", ["-l", root]);
    rmSync(directory, { recursive: true, force: true });
    process.off("exit", remove);
  };
  process.on("exit", remove);
  run("mount", "-t", "bpf", "bpf", root);
  return { directory, root, remove };
}

/** A bpffs of its own for one test. */
export function testBpffs(): TestBpffs {
  const bpffs = mountBpffs();
  onTestFinished(bpffs.remove);
  return bpffs;
}

/** Runs a command that must succeed; answers what it wrote. */
export function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: ${stderr || error || `status ${status}`}`);
}

/** What a test may set of a host. */
export type HostChoices = Partial<Omit<MapHostOptions, "limits">> & {
  readonly limits?: Partial<MapLimits>;
};

/** A host on a bpffs. It is closed with {@link MapHost.close}. */
export function openHost(bpffs: TestBpffs, choices: HostChoices = {}): Promise<MapHost> {
  return MapHost.open({
    bpffsRoots: [bpffs.root],
    mountBpffs: false,
    holdDirectory: join(bpffs.root, "bpfmapd"),
    ...choices,
    limits: { ...LIMITS, ...choices.limits },
  });
}

/**
 * A host of its own for a file of tests, for `beforeAll`:
 *
 *     beforeAll(async () => {
 *       ({ host, close } = await startHost());
 *       return close;
 *     });
 */
export async function startHost(choices: HostChoices = {}) {
  const bpffs = mountBpffs();
  try {
    const host = await openHost(bpffs, choices);
    const close = async () => {
      await host.close().finally(bpffs.remove);
    };
    return { host, bpffs, close };
  } catch (error) {
    bpffs.remove();
    throw error;
  }
}

/** A host of its own for one test. */
export async function testHost(choices: HostChoices = {}) {
  const started = await startHost(choices);
  onTestFinished(started.close);
  return started;
}
