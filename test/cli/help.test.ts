import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import {
  AUTH_VERBS,
  BPFTOOL_VERBS,
  FEATURE_VERBS,
  FLEET_VERBS,
  OWN_VERBS,
  SET_VERBS,
} from "#dist/cli/commands/index.js";
import { Output } from "#dist/cli/output.js";
import { run } from "#dist/cli/run.js";

/** Runs a command line that needs no daemon. */
async function bpfmapctl(...args: string[]) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const code = await run(args, {
    out: new Output(out),
    isTerminal: false,
    stdin: new PassThrough(),
    stderr: err,
    env: {},
    signal: new AbortController().signal,
  });
  const text = (stream: PassThrough) => String(stream.read() ?? "");
  return { stdout: text(out), stderr: text(err), code };
}

const commands = [
  [],
  ["map"],
  ["feature"],
  ["host"],
  ["completion"],
  ...[...BPFTOOL_VERBS, ...OWN_VERBS].map(({ name }) => ["map", name]),
  ...FEATURE_VERBS.map(({ name }) => ["feature", name]),
  ...AUTH_VERBS.map(({ name }) => ["auth", name]),
  ["fleet"],
  ...FLEET_VERBS.map(({ name }) => ["fleet", name]),
  ["fleet", "set"],
  ...SET_VERBS.map(({ name }) => ["fleet", "set", name]),
];

describe.each(commands.map((words) => [words.join(" "), words] as const))(
  "help of '%s'",
  (_, words) => {
    it("fits a terminal of 80 columns, but for what is to be copied", async () => {
      const { stdout, code } = await bpfmapctl(...words, "--help");
      expect(code).toBe(0);
      const prose = stdout
        .split("\n")
        .filter((line) => !/^(Usage:| {2}bpfmapctl | {2}# )/.test(line));
      expect(prose.filter((line) => line.length > 80)).toEqual([]);
    });

    it("says where the options of every command are told", async () => {
      const { stdout } = await bpfmapctl(...words, "--help");
      expect(stdout).toContain(words.length === 0 ? "--address" : "bpfmapctl --help");
      expect(stdout.includes("--tls-cert")).toBe(words.length === 0);
    });
  },
);

describe("a command that there is not", () => {
  it.each([
    ["mp", "unknown command 'mp'; bpfmapctl --help lists them"],
    ["frob", "unknown command 'frob'; bpfmapctl --help lists them"],
    ["map dmp", "unknown command 'dmp' (Did you mean dump?)"],
  ])("is refused in one line: %s", async (line, message) => {
    const { stderr, code } = await bpfmapctl(...line.split(" "));
    expect([code, stderr]).toEqual([1, `Error: ${message}\n`]);
  });
});
