import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openEmbeddedStore, type Store } from "#dist/fleet/store/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";

/** A directory that goes with the test. */
export function storeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Embedded stores, for the contract. */
export const embedded: StoreKind = {
  name: "LevelDB",
  async fresh() {
    const directory = mkdtempSync(join(tmpdir(), "bpfmapd-store-"));
    let store: Promise<Store> | undefined;
    const connect = () => {
      store ??= openEmbeddedStore({ directory });
      return store;
    };
    return {
      connect,
      async reopen() {
        await (await store)?.close();
        store = undefined;
        return connect();
      },
      async dispose() {
        await (await store)?.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};
