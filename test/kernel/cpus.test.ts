import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { onlineCpus, parseCpuList, possibleCpus } from "#dist/kernel/index.js";

describe("a CPU list", () => {
  it.each<[string, number[]]>([
    ["0\n", [0]],
    ["0-3\n", [0, 1, 2, 3]],
    ["0-1,4,6-7\n", [0, 1, 4, 6, 7]],
    ["2,9\n", [2, 9]],
    ["\n", []],
  ])("of %j is read as %j", (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });

  it("of the possible CPUs holds all that are online, in ascending order", () => {
    const possible = possibleCpus();
    expect(possible).toEqual([...possible].sort((a, b) => a - b));
    expect(possible).toEqual(expect.arrayContaining(onlineCpus()));
    const text = readFileSync("/sys/devices/system/cpu/possible", "latin1").trim();
    expect(text.startsWith(String(possible[0]))).toBe(true);
    expect(text.endsWith(String(possible.at(-1)))).toBe(true);
  });
});
