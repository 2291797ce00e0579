import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { mountBpffs } from "#dist/kernel/index.js";

/** A bpffs of its own that goes when the test is over. */
export function testBpffs(): string {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-bpffs-"));
  mountBpffs(directory);
  onTestFinished(() => {
    execFileSync("umount", ["-l", directory]);
    rmSync(directory, { recursive: true });
  });
  return directory;
}
