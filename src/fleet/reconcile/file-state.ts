import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { decodeManifest, encodeManifest, segmentName } from "../sets/index.js";
import type { HostState, SegmentShelf, SetRecord } from "./host-state.js";

const RECORD = ".json";
const HASH = /^[0-9a-f]{64}$/;

/** A host's memory of its sets in a directory, which is made when it is first written to. */
export class FileState implements HostState {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = join(directory, "sets");
  }

  /** What is broken is left out: the set is compared whole then. */
  async load(): Promise<ReadonlyMap<string, SetRecord>> {
    const records = new Map<string, SetRecord>();
    for (const file of await filesIn(this.#directory)) {
      if (!file.endsWith(RECORD)) continue;
      const record = await this.#read(file).catch(() => undefined);
      if (record !== undefined) records.set(file.slice(0, -RECORD.length), record);
    }
    return records;
  }

  async save(set: string, { identity, written, applied }: SetRecord): Promise<void> {
    const text = JSON.stringify({
      identity,
      written: written.map(manifestText),
      applied: applied && manifestText(applied),
    });
    await writeWhole(join(this.#directory, set + RECORD), Buffer.from(text), "sync");
  }

  async forget(set: string): Promise<void> {
    await rm(join(this.#directory, set + RECORD), { force: true });
  }

  async #read(file: string): Promise<SetRecord> {
    const { identity, written, applied } = JSON.parse(
      await readFile(join(this.#directory, file), "utf8"),
    );
    return {
      identity: String(identity),
      written: written.map(manifestOf),
      applied: applied === undefined ? undefined : manifestOf(applied),
    };
  }
}

/** Segments as files, named by their hashes. */
export class FileShelf implements SegmentShelf {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = join(directory, "segments");
  }

  /** What a crash has torn has another hash. */
  async get(hash: string): Promise<Uint8Array | undefined> {
    const bytes = await readFile(join(this.#directory, hash)).catch(() => undefined);
    return bytes && segmentName(bytes) === hash ? bytes : undefined;
  }

  async put(hash: string, bytes: Uint8Array): Promise<void> {
    await writeWhole(join(this.#directory, hash), bytes);
  }

  async list(): Promise<readonly string[]> {
    return (await filesIn(this.#directory)).filter((file) => HASH.test(file));
  }

  async remove(hash: string): Promise<void> {
    await rm(join(this.#directory, hash), { force: true });
  }
}

function manifestText(manifest: Parameters<typeof encodeManifest>[0]): string {
  return Buffer.from(encodeManifest(manifest)).toString();
}

function manifestOf(text: string) {
  return decodeManifest(Buffer.from(text));
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

let writes = 0;

/** Writes a file whole or not at all; with "sync" it is on the disk after. */
async function writeWhole(path: string, bytes: Uint8Array, sync?: "sync"): Promise<void> {
  const directory = dirname(path);
  const fresh = `${path}.${process.pid}.${writes++}`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = await open(fresh, "w", 0o600);
  try {
    await file.writeFile(bytes);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  if (sync) await syncDirectory(directory);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
