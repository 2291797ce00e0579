import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const text = readFileSync(resolve(ROOT, "docs/threat-model.md"), "utf8");
const defended = text.slice(text.indexOf("## What is defended"), text.indexOf("## What is not"));
const claims = defended.split("\n").filter((line) => /^\| (?!claim |fault |---)/.test(line));

test("each claim of the threat model names tests that are there", () => {
  expect(claims.length).toBeGreaterThan(10);
  for (const claim of claims) {
    const files = [...claim.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file as string);
    expect(files, claim).not.toEqual([]);
    for (const file of files) expect(existsSync(resolve(ROOT, file)), file).toBe(true);
  }
});
