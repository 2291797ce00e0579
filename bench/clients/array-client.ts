// Owns a BPF_F_MMAPABLE array, and times scans of it as the daemon's watch threads make
// them, with the daemon's own code: bookmarks tell whole milliseconds, which is too coarse.
// Arguments: VALUE_SIZE COUNT
import { mapCreate, mapInfo, possibleCpus } from "#dist/kernel/index.js";
import { CreateFlag } from "#dist/maps/index.js";
import { layoutOf } from "#dist/maps/map-layout.js";
import { ExactReader } from "#dist/watch/exact-reader.js";
import { MapMirror } from "#dist/watch/map-mirror.js";
import { MapWalks } from "#dist/watch/map-walk.js";
import { serve } from "./serve.js";

export interface ArrayAnswer {
  mapId: number;
  /** Median of the scans. */
  seconds: number;
}

const ARRAY = 2;
const [valueSize = 0, maxEntries = 0] = process.argv.slice(2).map(Number);
const flags = CreateFlag.MMAPABLE;
const fd = mapCreate({ type: ARRAY, keySize: 4, valueSize, maxEntries, flags });
const info = mapInfo(fd);
const target = {
  fd,
  label: "the array of the bench",
  layout: layoutOf(info, possibleCpus()),
  keyKind: "index",
  unreadable: false,
  lookupBatch: true,
  updateBatch: true,
  deleteBatch: false,
  isMappable: true,
};
const walks = new MapWalks(0);
const mirror = new MapMirror(target.layout, target.keyKind);
const reader = new ExactReader(target);

function scan(): number {
  const start = performance.now();
  const walk = walks.start(target);
  mirror.startWalk();
  while (walk.step(mirror));
  const changes = mirror.finishWalk(reader);
  walk.release();
  if (changes.size > 0) throw new Error("somebody changes the array");
  return (performance.now() - start) / 1000;
}

scan(); // The first one takes over the contents.

serve(async ({ scans }: { scans: number }): Promise<ArrayAnswer> => {
  const taken = Array.from({ length: scans }, scan).sort((a, b) => a - b);
  return { mapId: info.id, seconds: taken[taken.length >> 1] ?? Number.NaN };
});
