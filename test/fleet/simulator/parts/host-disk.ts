import type { HostState, SegmentShelf, SetRecord } from "#dist/fleet/reconcile/index.js";
import type { MemoryDisk } from "../../reconcile/support/memory-state.ts";
import type { Process } from "../world/machine.ts";

const SYNC_MS = 2;

/** A host's disk, as one of its processes has it: what a dead one writes is not there. */
export class HostDisk implements HostState, SegmentShelf {
  readonly #disk: MemoryDisk;
  readonly #process: Process;

  constructor(disk: MemoryDisk, process: Process) {
    this.#disk = disk;
    this.#process = process;
  }

  load(): Promise<ReadonlyMap<string, SetRecord>> {
    return this.#process.living(this.#disk.load());
  }

  async save(set: string, record: SetRecord): Promise<void> {
    await this.#process.work(SYNC_MS);
    await this.#disk.save(set, record);
  }

  async forget(set: string): Promise<void> {
    await this.#process.work(SYNC_MS);
    await this.#disk.forget(set);
  }

  get(hash: string): Promise<Uint8Array | undefined> {
    return this.#process.living(this.#disk.get(hash));
  }

  async put(hash: string, bytes: Uint8Array): Promise<void> {
    await this.#process.work(SYNC_MS);
    await this.#disk.put(hash, bytes);
  }

  list(): Promise<readonly string[]> {
    return this.#process.living(this.#disk.list());
  }

  async remove(hash: string): Promise<void> {
    if (this.#process.isAlive) await this.#disk.remove(hash);
  }
}
