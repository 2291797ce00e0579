import { expect, test } from "vitest";
import { onlineCpus, possibleCpus } from "#dist/kernel/index.js";

test("a guest has a possible CPU that is not online", () => {
  expect(possibleCpus()).toEqual([0, 1, 2]);
  expect(onlineCpus()).toEqual([0, 1]);
});
