import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { closeFd, mapInfo, objPin } from "#dist/kernel/index.js";
import { MapError } from "#dist/maps/index.js";
import { PinPaths } from "#dist/maps/pin-path.js";
import { testBpffs } from "./support/host.js";
import { makeMap } from "./support/kernel-map.js";

const ROUNDS = 3000;
const FIELD = "pin_path";

/** What a path can come to whose directory is now there, now a link, now missing. */
const OUTCOMES = ["done", "PIN_NOT_FOUND", "PIN_EXISTS", "PIN_PATH_INVALID"];

/** Somebody else's names, but for what the kernel puts into each bpffs. */
const namesIn = (directory: string) =>
  readdirSync(directory).filter((name) => !name.endsWith(".debug"));

it("paths lead nowhere else while somebody swaps a directory on the way for a link", async () => {
  const { root } = testBpffs();
  const outside = testBpffs().root;
  const [ours, theirs] = [makeMap("HASH"), makeMap("HASH")];
  objPin(join(outside, "x"), theirs.fd);
  const script = join(import.meta.dirname, "support/swapping-process.mjs");
  const swapping = spawn(process.execPath, [script, root, outside], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    if (swapping.exitCode !== null) return;
    swapping.kill("SIGKILL");
    await once(swapping, "exit");
  });
  await once(swapping.stdout, "data");

  const pins = new PinPaths([root], join(root, "bpfmapd"));
  const path = `${root}/way/x`;
  const opened = new Set<number>();
  const uses = [
    () => pins.pin(path, ours.fd, false, FIELD),
    () => pins.pin(path, ours.fd, true, FIELD),
    () => {
      const fd = pins.open(path, FIELD);
      opened.add(mapInfo(fd).id);
      closeFd(fd);
    },
    () => pins.unpin(path, false, FIELD),
    () => pins.unpin(`${root}/way/deep/x`, true, FIELD),
  ];
  const counts = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const use of uses) {
      const outcome = outcomeOf(use);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
  }
  expect([...counts.keys()].filter((outcome) => !OUTCOMES.includes(outcome))).toEqual([]);
  // The link was met, and the directory, or this proves nothing.
  expect(counts.get("PIN_PATH_INVALID")).toBeGreaterThan(0);
  expect(counts.get("done")).toBeGreaterThan(0);
  expect([...opened]).toEqual([ours.id]);
  expect(namesIn(outside)).toEqual(["x"]);
  // It went on to the end.
  await sleep(100);
  expect(swapping.exitCode).toBeNull();
});

function outcomeOf(use: () => unknown): string {
  try {
    use();
    return "done";
  } catch (error) {
    if (error instanceof MapError) return error.reason;
    throw error;
  }
}
