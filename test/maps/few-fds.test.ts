import { join } from "node:path";
import { expect, it } from "vitest";
import { run, testBpffs } from "./support/host.js";

interface Outcome {
  readonly name: string;
  readonly free: number;
  readonly outcome: string;
  readonly leaked: number;
}

it("a host that runs out of file descriptors says so, and leaves nothing behind", () => {
  const { root } = testBpffs();
  const script = join(import.meta.dirname, "support/few-fds.mjs");
  const told: { outcomes: Outcome[]; left: string[] } = JSON.parse(
    run(process.execPath, script, root),
  );
  const wrong = told.outcomes.filter(
    ({ outcome, leaked }) =>
      leaked !== 0 || !["done", "FILE_DESCRIPTORS", "ELEMENT_NOT_FOUND"].includes(outcome),
  );
  expect(wrong).toEqual([]);
  // With none left nothing can be done, and all can with a handful.
  for (const { free, outcome } of told.outcomes) {
    if (free === 0) expect(outcome).toBe("FILE_DESCRIPTORS");
    if (free === 4) expect(outcome).not.toBe("FILE_DESCRIPTORS");
  }
  const left = told.left.filter((name) => !name.endsWith(".debug"));
  expect(left).toEqual(["bpfmapd", "pin"]);
});
