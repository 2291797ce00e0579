import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.js";

const ROOT = resolve(import.meta.dirname, "../..");

it("docs/map-types.md is what the daemon's tables say, and has every type that it probes", async () => {
  const text = readFileSync(join(ROOT, "docs/map-types.md"), "utf8");
  const made = execFileSync(process.execPath, [join(ROOT, "scripts/map-types.mjs")]);
  expect(text).toBe(made.toString());
  const daemon = await startDaemon();
  const { types } = await daemon.client.host.getCapabilities({});
  const listed = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(listed).toEqual(types.map(({ name }) => name));
});
