import type { HostState, SegmentShelf, SetRecord } from "#dist/fleet/reconcile/index.js";

/** A host's disk, as it survives its process. */
export class MemoryDisk implements HostState, SegmentShelf {
  readonly records = new Map<string, SetRecord>();
  readonly segments = new Map<string, Uint8Array>();

  async load(): Promise<ReadonlyMap<string, SetRecord>> {
    return new Map(this.records);
  }

  async save(set: string, record: SetRecord): Promise<void> {
    this.records.set(set, record);
  }

  async forget(set: string): Promise<void> {
    this.records.delete(set);
  }

  async get(hash: string): Promise<Uint8Array | undefined> {
    return this.segments.get(hash);
  }

  async put(hash: string, bytes: Uint8Array): Promise<void> {
    this.segments.set(hash, bytes);
  }

  async list(): Promise<readonly string[]> {
    return [...this.segments.keys()];
  }

  async remove(hash: string): Promise<void> {
    this.segments.delete(hash);
  }
}
