import { expect, it } from "vitest";
import { readCases } from "./support/case-file.js";
import { ALL_RPCS, COMMANDS, type Command } from "./support/commands.js";

const done = new Set(
  readCases().flatMap(([, cases]) =>
    cases.flatMap(({ steps }) => steps.flatMap((step) => Object.keys(step.do))),
  ),
);

it("has a case for every command", () => {
  const all = Object.keys(COMMANDS);
  expect(all.filter((command) => !done.has(command))).toEqual([]);
});

it("has a case for every RPC of the contract", () => {
  const covered = new Set<string>(
    (Object.keys(COMMANDS) as Command[])
      .filter((command) => done.has(command))
      .flatMap((command) => COMMANDS[command]),
  );
  expect(ALL_RPCS.filter((rpc) => !covered.has(rpc))).toEqual([]);
});
