import type { Store } from "../store/index.js";
import { commit } from "./commit.js";
import { Contents } from "./contents.js";
import { foldChanges } from "./fold.js";
import { writeLayer } from "./layer-writer.js";
import { type Layer, liveLayers, type Manifest } from "./manifest.js";
import { mergeAllChanges } from "./merge-changes.js";
import type { SegmentCache } from "./segment-cache.js";
import { SegmentUpload } from "./segment-upload.js";
import type { SetState } from "./set-state.js";
import { StoreSegments } from "./store-segments.js";

/** When a manifest is written anew in another form. */
export interface UpkeepRules {
  /** Layers of a manifest at most; then the older ones become one. */
  readonly mostLayers: number;
  /** Layers that are left as they are, for hosts that are a few generations behind. */
  readonly recentLayers: number;
  /** Changes are folded into the base when they are so many, and this share of it. */
  readonly foldedChanges: number;
  readonly foldedShare: number;
}

export const UPKEEP: UpkeepRules = {
  mostLayers: 32,
  recentLayers: 8,
  foldedChanges: 4096,
  foldedShare: 1 / 8,
};

/** A form that is due: all changes folded into the base, or old layers made one. */
export type Upkeep = "fold" | "merge";

/** What is due of a manifest. */
export function upkeepDue(manifest: Manifest, rules: UpkeepRules): Upkeep | undefined {
  const changes = liveLayers(manifest).reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(rules.foldedChanges, manifest.base.count * rules.foldedShare);
  if (changes >= most) return "fold";
  return manifest.layers.length > rules.mostLayers ? "merge" : undefined;
}

/**
 * Writes the same generation in another form, if nobody writes meanwhile: who is overtaken has
 * lost nothing.
 */
export async function doUpkeep(
  store: Store,
  state: SetState & { readonly manifest: Manifest },
  due: { readonly form: Upkeep; readonly recentLayers: number },
  cache: SegmentCache,
  signal?: AbortSignal,
): Promise<boolean> {
  const { name, manifest, revision } = state;
  const contents = new Contents(manifest, cache.before(new StoreSegments(store, name, revision)));
  const upload = new SegmentUpload(store, name, cache, signal);
  const write = due.form === "fold" ? folded : merged;
  const next = await write(manifest, due.recentLayers, contents, upload, signal);
  await upload.end();
  return commit(store, state, next, signal);
}

async function folded(
  manifest: Manifest,
  recentLayers: number,
  contents: Contents,
  upload: SegmentUpload,
  signal?: AbortSignal,
): Promise<Manifest> {
  const changes = await contents.overlay(signal);
  const base = await foldChanges(manifest, contents, changes, upload, signal);
  return {
    ...manifest,
    count: base.count,
    base: { ...base, generation: manifest.generation },
    layers: lastOf(manifest.layers, recentLayers),
  };
}

async function merged(
  manifest: Manifest,
  recentLayers: number,
  contents: Contents,
  upload: SegmentUpload,
  signal?: AbortSignal,
): Promise<Manifest> {
  const live = liveLayers(manifest);
  const recent = lastOf(live, recentLayers);
  const older = live.slice(0, live.length - recent.length);
  const layers: Layer[] = [];
  if (older.length > 0) {
    const each = await Promise.all(older.map((one) => contents.changes([one], signal)));
    const generations = { from: older[0]!.from, to: older.at(-1)!.to };
    layers.push(await writeLayer(manifest, mergeAllChanges(manifest, each), generations, upload));
  }
  return { ...manifest, layers: [...layers, ...recent] };
}

function lastOf<T>(all: readonly T[], count: number): T[] {
  return all.slice(Math.max(0, all.length - count));
}
