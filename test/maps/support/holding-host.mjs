// A host that holds one map and waits to be killed: a daemon before its crash.
// Arguments: bpffs root, hold's name, lease in milliseconds or nothing.
import { ElementCalls, mapCreate, mapInfo } from "#dist/kernel/index.js";
import { holdMap, MapHost } from "#dist/maps/index.js";

const [root, name, lease] = process.argv.slice(2);
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
const fd = mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 8, name: "crash" });
const calls = new ElementCalls(fd, 4, 4);
calls.key.writeUInt32LE(7);
calls.value.writeUInt32LE(77);
calls.update();
const { id } = mapInfo(fd);
await holdMap(host, { by: "id", id }, { name, ...(lease && { leaseMs: Number(lease) }) });
process.stdout.write(`${id}\n`);
setInterval(() => {}, 1 << 30);
