import { rolloutKeys } from "../rollout/index.js";
import { type Entry, get, type Store } from "../store/index.js";
import { decodeManifest, type Manifest } from "./manifest.js";
import { setKeys } from "./set-keys.js";

/** A set as the store has it, all at one revision. */
export interface SetState {
  readonly name: string;
  /** Absent where there is no such set. */
  readonly manifest: Manifest | undefined;
  readonly bytes: Uint8Array | undefined;
  /** Of the manifest's last write; 0 for none. */
  readonly modRevision: bigint;
  /** Of the last collection of segments; 0 for none. */
  readonly collectedRevision: bigint;
  /** The set's last rollout; absent for none. */
  readonly rollout: Entry | undefined;
  /** What was read is the state at it. */
  readonly revision: bigint;
}

/** Reads what a writer compares with: the manifest, its rollout, and when segments were collected. */
export async function readState(
  store: Store,
  name: string,
  signal?: AbortSignal,
): Promise<SetState> {
  const success = [
    get(setKeys.manifest(name)),
    get(setKeys.collected(name)),
    get(rolloutKeys.state(name)),
  ];
  const { results, revision } = await store.transact({ success }, { signal });
  const entries = results.map((one) => (one.do === "get" ? one.entry : undefined));
  return stateOf(name, entries, revision);
}

function stateOf(
  name: string,
  [manifest, collected, rollout]: readonly (Entry | undefined)[],
  revision: bigint,
): SetState {
  return {
    name,
    manifest: manifest && decodeManifest(manifest.value),
    bytes: manifest?.value,
    modRevision: manifest?.modRevision ?? 0n,
    collectedRevision: collected?.modRevision ?? 0n,
    rollout,
    revision,
  };
}
