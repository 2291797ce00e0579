// What a host answers while the process has few file descriptors left: prints, for each
// operation and number of free descriptors, its outcome, and what was left behind.
// Argument: bpffs root.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync } from "node:fs";
import { mapCreate, mapInfo } from "#dist/kernel/index.js";
import {
  createMap,
  getMap,
  holdMap,
  lookupElements,
  MapError,
  MapHost,
  pinMap,
  unpinMap,
} from "#dist/maps/index.js";

const [root] = process.argv.slice(2);
const host = await MapHost.open({
  bpffsRoots: [root],
  mountBpffs: false,
  holdDirectory: `${root}/bpfmapd`,
  limits: {
    dedupMemoryBytes: 1 << 20,
    replaceMemoryBytes: 1 << 20,
    maxMessageBytes: 1 << 20,
    maxScans: 4,
    scanThreads: 1,
  },
});
const name = `few_${process.pid}`;
const spec = {
  type: 1,
  name,
  keySize: 4,
  valueSize: 4,
  maxEntries: 8,
  flags: 0,
  mapExtra: 0n,
  numaNode: 0,
  ifindex: 0,
  btfVmlinuxValueTypeId: 0,
};
const { id } = mapInfo(mapCreate(spec));
const byId = { by: "id", id };
const pin = `${root}/pin`;
await pinMap(host, byId, pin, false);
const plain = { createParents: true, ifExists: "error", freeze: false };
/** What is done while descriptors are few, and what takes it back when they are not. */
const operations = {
  hold: [() => holdMap(host, byId, { name: "hold" }), () => host.holds.release("hold")],
  pin: [
    () => pinMap(host, byId, `${root}/deep/pin`, true),
    () => unpinMap(host, `${root}/deep/pin`, true),
  ],
  "get by id": [() => getMap(host, byId)],
  "get by pin": [() => getMap(host, { by: "pinPath", pinPath: pin })],
  "get with pins": [
    async () => {
      const { pinPaths } = await getMap(host, byId, { pins: true });
      if (pinPaths[0] !== pin) throw new Error(`its pin was overlooked: ${pinPaths}`);
    },
  ],
  "get by name": [() => getMap(host, { by: "name", name })],
  lookup: [
    () =>
      lookupElements(host, {
        map: byId,
        keys: Buffer.alloc(4),
        count: 1,
        lock: false,
        onError: "stop",
      }),
  ],
  "create held": [
    () => createMap(host, { ...plain, spec, hold: { name: "new" } }),
    () => host.holds.release("new"),
  ],
  "create pinned": [
    () => createMap(host, { ...plain, spec, pinPath: `${root}/more/new` }),
    () => unpinMap(host, `${root}/more/new`, true),
  ],
};
// Once each without need, so that what is made when first used is there.
for (const [operation, undo] of Object.values(operations)) {
  await operation()
    .then(() => undo?.())
    .catch(() => {});
}

spawnSync("prlimit", [`--pid=${process.pid}`, "--nofile=128:"]);
const fillers = [];
const fill = () => {
  try {
    for (;;) fillers.push(openSync("/dev/null", "r"));
  } catch {
    return fillers.length;
  }
};
const all = fill();
const release = (count) => {
  for (const fd of fillers.splice(0, count)) closeSync(fd);
};
const outcomes = [];
for (const [name, [operation, undo]] of Object.entries(operations)) {
  for (let free = 0; free <= 4; free++) {
    release(free);
    const outcome = await operation().then(
      () => "done",
      (error) => (error instanceof MapError ? error.reason : String(error.stack)),
    );
    release(8);
    if (outcome === "done") await undo?.();
    outcomes.push({ name, free, outcome, leaked: all - fill() });
  }
}
for (const fd of fillers) closeSync(fd);
const left = readdirSync(root, { recursive: true }).sort();
process.stdout.write(JSON.stringify({ outcomes, left }));
process.exit(0);
