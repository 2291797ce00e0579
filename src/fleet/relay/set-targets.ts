import { greater } from "../aggregate/bigints.js";
import type { Clock } from "../clock.js";
import type { SelectableHost } from "../selector.js";
import type { Manifest, MapSets } from "../sets/index.js";
import { setMatcher } from "../sets-contract.js";
import type { RolloutCatalogue } from "./rollout-catalogue.js";
import type { KnownSet, SetCatalogue } from "./set-catalogue.js";

const RETRY_MS = 1000;

/** What a host is to have of a set. */
export interface SetTarget {
  readonly manifest: Manifest;
  /** The store's revision since which that is so. */
  readonly revision: bigint;
}

/** What targets are found by. */
export interface SetTargetParts {
  readonly sets: MapSets;
  readonly catalogue: SetCatalogue;
  readonly rollouts: RolloutCatalogue;
  readonly clock: Clock;
  /** Aborted when the relay stops. */
  readonly stopped: AbortSignal;
}

/** The generation of each set that each host is to have: the set's, or what its rollout says. */
export class SetTargets {
  readonly #parts: SetTargetParts;
  readonly #listeners = new Set<(name: string) => void>();
  /** Manifests of earlier generations that rollouts need, one for each set. */
  readonly #pasts = new Map<string, { readonly key: string; manifest?: Manifest }>();

  constructor(parts: SetTargetParts) {
    this.#parts = parts;
    parts.catalogue.onChange((name) => this.#tell(name));
    parts.rollouts.onChange((name) => this.#tell(name));
  }

  /**
   * What a host is to have of a set: undefined for nothing, "unknown" where that has to be read
   * first. Listeners are told when it is known.
   */
  of(name: string, host: SelectableHost): SetTarget | "unknown" | undefined {
    const head = this.#parts.catalogue.known(name);
    if (head === undefined) return undefined;
    const { manifest, modRevision } = head;
    if (manifest.rollout === "") return forHost(host, { manifest, revision: modRevision });
    const rollout = this.#parts.rollouts.get(name);
    if (rollout?.state.id !== manifest.rollout) return "unknown";
    const revision = greater(rollout.modRevision, modRevision);
    const generation = rollout.targetOf(host.id);
    if (generation === 0) return undefined;
    if (generation === manifest.generation) return forHost(host, { manifest, revision });
    const past = this.#past(head, generation);
    return past === undefined ? "unknown" : forHost(host, { manifest: past, revision });
  }

  /** Calls back for each set of which hosts may be to have something else. */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #past({ manifest: { name, id } }: KnownSet, generation: number): Manifest | undefined {
    const key = `${id}/${generation}`;
    const known = this.#pasts.get(name);
    if (known?.key === key) return known.manifest;
    const past: { readonly key: string; manifest?: Manifest } = { key };
    this.#pasts.set(name, past);
    void this.#read(name, generation, past);
    return undefined;
  }

  async #read(name: string, generation: number, past: { manifest?: Manifest }): Promise<void> {
    const { sets, stopped, clock } = this.#parts;
    try {
      const { manifest } = await sets.get(name, { generation, signal: stopped });
      past.manifest = manifest;
    } catch {
      await clock.sleep(RETRY_MS, stopped).catch(() => {});
      if (this.#pasts.get(name) === past) this.#pasts.delete(name);
    }
    if (!stopped.aborted) this.#tell(name);
  }

  #tell(name: string): void {
    if (this.#parts.catalogue.get(name)?.rollout === "") this.#pasts.delete(name);
    for (const listener of this.#listeners) listener(name);
  }
}

function forHost(host: SelectableHost, target: SetTarget): SetTarget | undefined {
  return setMatcher(target.manifest)(host) ? target : undefined;
}
