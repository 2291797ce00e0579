import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll } from "vitest";
import { conformanceSuite } from "./support/suite.js";

const CLIENT = resolve(import.meta.dirname, "../../clients/go");
const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
const runner = join(directory, "runner");

beforeAll(() => {
  execFileSync("go", ["build", "-o", runner, "./internal/conformance"], { cwd: CLIENT });
  return () => rmSync(directory, { recursive: true });
}, 300_000);

conformanceSuite("Go", [runner]);
