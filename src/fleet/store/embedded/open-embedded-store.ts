import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Clock, systemClock } from "../../clock.js";
import type { Store } from "../store.js";
import { StoreError } from "../store-error.js";
import { Disk } from "./disk.js";
import { EmbeddedStore } from "./embedded-store.js";
import { Engine } from "./engine.js";

/** Where and how an embedded store is opened. */
export interface EmbeddedStoreOptions {
  /** A directory of the store's own, on a local file system. Made where it is not there, for its owner only. */
  readonly directory: string;
  /**
   * Bytes of the file system that writes leave free: they are refused with NO_SPACE before, and
   * deletes and compaction still go. Default 16 MiB.
   */
  readonly reserveBytes?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

const RESERVE_BYTES = 16 * 1024 * 1024;

/**
 * Opens the store on one machine, or makes it. One process has it open at a time; a crash loses
 * nothing that was acknowledged. LOCKED, DAMAGED, NO_SPACE, UNAVAILABLE.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { directory, reserveBytes = RESERVE_BYTES, clock = systemClock } = options;
  try {
    await makeDirectory(directory);
  } catch (cause) {
    throw new StoreError("UNAVAILABLE", `cannot make the store's directory: ${cause}`, { cause });
  }
  return new EmbeddedStore(await Engine.open(new Disk(directory), clock, reserveBytes), clock);
}

/** Makes it on the disk, too: a file that is synced is lost with a directory that is not. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = resolve(directory); made.length >= first.length; made = dirname(made)) {
    const parent = await open(dirname(made));
    await parent.sync().finally(() => parent.close());
  }
}
