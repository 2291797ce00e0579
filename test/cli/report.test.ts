import { BpfmapError, status } from "@bpfmapd/client";
import { expect, it } from "vitest";
import { CliError } from "#dist/cli/cli-error.js";
import { EXIT_CODE_HELP, ExitCode, exitCodeOfStatus } from "#dist/cli/exit-code.js";
import { progressText } from "#dist/cli/progress.js";
import { describeFailure } from "#dist/cli/report.js";

it.each([
  ["NOT_FOUND", 2],
  ["ALREADY_EXISTS", 3],
  ["INVALID_ARGUMENT", 4],
  ["FAILED_PRECONDITION", 5],
  ["ABORTED", 5],
  ["PERMISSION_DENIED", 6],
  ["UNAUTHENTICATED", 6],
  ["RESOURCE_EXHAUSTED", 7],
  ["UNIMPLEMENTED", 8],
  ["UNAVAILABLE", 9],
  ["DEADLINE_EXCEEDED", 9],
  ["INTERNAL", 11],
  ["UNKNOWN", 11],
  ["DATA_LOSS", 11],
  ["CANCELLED", 130],
] as const)("%s ends with %i", (name, code) => {
  expect(exitCodeOfStatus(status[name])).toBe(code);
  expect(EXIT_CODE_HELP).toMatch(new RegExp(`^  ${code} `, "m"));
});

it("documents every exit code", () => {
  for (const code of Object.values(ExitCode)) {
    expect(EXIT_CODE_HELP).toMatch(new RegExp(`^  ${code} `, "m"));
  }
});

it("tells each field violation once, in one line", () => {
  const error = new BpfmapError("spec.key_size: is 0, wanted 1 or more", {
    code: status.INVALID_ARGUMENT,
    violations: [
      { field: "spec.key_size", description: "is 0, wanted 1 or more" },
      { field: "spec.max_entries", description: "is 0" },
    ],
  });
  expect(describeFailure(error)).toEqual({
    message: "spec.key_size: is 0, wanted 1 or more; spec.max_entries: is 0",
    exitCode: 4,
  });
});

it("does not tell a violation that the message tells in its own words", () => {
  const description = "pins lie inside /sys/fs/bpf";
  const error = new BpfmapError(`pin path "/tmp/x": ${description}`, {
    code: status.INVALID_ARGUMENT,
    violations: [{ field: "pin_path", description }],
  });
  expect(describeFailure(error).message).toBe(error.message);
});

it("says where to look where the daemon cannot be reached", () => {
  const error = new BpfmapError("no answer from bpfmapd at unix:/x: ENOENT.", {
    code: status.UNAVAILABLE,
  });
  expect(describeFailure(error).message).toBe(
    "no answer from bpfmapd at unix:/x: ENOENT. Is it running? --address or BPFMAPCTL_ADDRESS says where",
  );
});

it("does not doubt that a daemon runs that says it is stopping", () => {
  const error = new BpfmapError("the daemon is stopping", {
    code: status.UNAVAILABLE,
    reason: "DAEMON_STOPPING",
  });
  expect(describeFailure(error)).toEqual({ message: "the daemon is stopping", exitCode: 9 });
});

it("ends with 1 for errors of this side", () => {
  expect(describeFailure(new CliError("no"))).toEqual({ message: "no", exitCode: 1 });
  expect(describeFailure("what")).toEqual({ message: "what", exitCode: 1 });
});

it.each([
  [{ done: 0, total: undefined, unit: "elements" }, "x  4s"],
  [{ done: 1_200_000, total: undefined, unit: "elements" }, "x  1,200,000 elements  300,000/s  4s"],
  [
    { done: 50, total: 200, unit: "elements" },
    "x  [======                  ]  25%  50 elements  13/s  4s",
  ],
  [
    { done: 8_000_000, total: 8_000_000, unit: "bytes" },
    "x  [========================]  100%  8.0 MB  2.0 MB/s  4s",
  ],
] as const)("shows progress and rate: case %#", (state, text) => {
  expect(progressText({ label: "x", seconds: 4, ...state })).toBe(text);
});
