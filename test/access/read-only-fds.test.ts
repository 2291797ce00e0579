import { readdirSync, readFileSync } from "node:fs";
import { MapType } from "@bpfmapd/client/proto";
import { expect, onTestFinished, test } from "vitest";
import { guardedDaemon } from "./support/guarded-daemon.js";

/** O_ACCMODE of open(2), and what it is where the kernel lets an fd only read. */
const ACCESS_MODE = 0o3;
const READ_ONLY = 0o0;

/** The access modes of a process's fds of a map, as the kernel tells them. */
function modesOf(pid: number, mapId: number): number[] {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory)
    .map((fd) => infoOf(`${directory}/${fd}`))
    .filter((info) => fieldOf(info, "map_id") === String(mapId))
    .map((info) => Number.parseInt(fieldOf(info, "flags") ?? "", 8) & ACCESS_MODE);
}

function infoOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Closed since the directory was listed.
  }
}

function fieldOf(info: string, field: string): string | undefined {
  return new RegExp(`^${field}:\\s*(\\S+)$`, "m").exec(info)?.[1];
}

test("who may only read a map is served by fds that cannot write it", async () => {
  const guarded = await guardedDaemon([{ who: "reader", verbs: ["read"], maps: "all" }]);
  onTestFinished(() => guarded.dispose());
  const { admin, daemon } = guarded;
  // Pinned and not held: the daemon has no fd of it but those of calls.
  const pinPath = `${daemon.bpffs}/ro`;
  const entries = 200_000;
  const { map } = await admin.maps.createMap({
    spec: { type: MapType.ARRAY, name: "ro", keySize: 4, valueSize: 64, maxEntries: entries },
    pinPath,
  });
  const id = map?.id as number;
  expect(modesOf(daemon.pid, id)).toEqual([]);

  const reader = await guarded.as("reader");
  // Not read to its end, the dump stays open: it is more than waits for a client.
  const dump = reader.maps.dumpMap({ map: { ref: { case: "pinPath", value: pinPath } } });
  const chunks = dump[Symbol.asyncIterator]();
  await chunks.next();
  const modes = modesOf(daemon.pid, id);
  expect(modes.length).toBeGreaterThan(0);
  expect(new Set(modes)).toEqual(new Set([READ_ONLY]));
  await chunks.return?.();
});
