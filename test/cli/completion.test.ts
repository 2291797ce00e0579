import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completionScript, SHELLS } from "#dist/cli/commands/completion.js";
import { complete, completionText } from "#dist/cli/completion/complete.js";
import { Output } from "#dist/cli/output.js";
import { buildProgram } from "#dist/cli/program.js";

const terminal = {
  out: new Output(process.stdout),
  isTerminal: false,
  stdin: process.stdin,
  stderr: process.stderr,
  env: {},
  signal: new AbortController().signal,
};

/** The words offered for the last word of the line. */
async function offered(line: string): Promise<string[]> {
  const found = await complete(buildProgram(terminal).command, line.split(" "), terminal);
  return [...found.candidates.map(({ value }) => value), ...(found.files ? [":files"] : [])];
}

describe("what is offered", () => {
  it.each([
    ["m", ["map"]],
    ["map de", ["delete", "dequeue"]],
    ["map un", ["unpin"]],
    ["map dump ", ["id", "name", "pinned", "held"]],
    ["m d p", ["pinned"]],
    ["-j --timeout 5s map dump n", ["name"]],
    ["--address unix:/nowhere map dump id ", []],
    ["map lookup id 5 ", ["key"]],
    ["map update id 5 ", ["key", "value"]],
    ["map update id 5 key 1 2 value 1 2 ", ["any", "exist", "noexist"]],
    ["map create ", [":files"]],
    ["map create /x type lpm", ["lpm_trie"]],
    ["map create /x type hash ", "key value entries name flags inner_map offload_dev".split(" ")],
    ["map create /x inner_map ", ["id", "name", "pinned", "held"]],
    ["map load id 5 ", [":files"]],
    ["map import ", [":files"]],
    ["map import x ", ["into", "create"]],
    ["map import x into ", ["id", "name", "pinned", "held"]],
    ["map dump --sum ", ["u32", "u64"]],
    ["map show --type lru_p", ["lru_percpu_hash"]],
    ["--tls-c", ["--tls-ca", "--tls-cert"]],
    ["map dump --l", ["--limit"]],
    ["map show --tls-key ", [":files"]],
    ["feature ", ["probe", "help"]],
    ["completion ", ["bash", "zsh", "fish"]],
    ["zork ", []],
  ])("after %s", async (line, words) => {
    expect(await offered(line)).toEqual(words);
  });

  it("is one word a line, with a description after a tab", () => {
    expect(
      completionText({
        candidates: [{ value: "a" }, { value: "b", description: "one\ntwo" }],
        files: true,
      }),
    ).toBe("a\nb\tone\n:files\n");
  });
});

describe("the bash script", () => {
  /** What readline would offer for a line, with `bpfmapctl` answered by a shell function. */
  function bash(words: readonly string[], answer: string): string[] {
    const directory = mkdtempSync(join(tmpdir(), "bpfmapctl-bash-"));
    writeFileSync(join(directory, "script"), completionScript("bash"));
    writeFileSync(join(directory, "file name"), "");
    const list = words.map((word) => `'${word}'`).join(" ");
    const { stdout } = spawnSync(
      "bash",
      [
        "-c",
        `source ./script
         bpfmapctl() { printf '%s|' "$@" >&2; printf '${answer}'; }
         COMP_WORDS=(bpfmapctl ${list}); COMP_CWORD=${words.length}
         { _bpfmapctl; } 2>asked
         printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { cwd: directory, encoding: "utf8" },
    );
    rmSync(directory, { recursive: true });
    return stdout.split("\n").filter((line) => line !== "");
  }

  it("offers the words without their descriptions", () => {
    expect(bash(["map", "d"], "dump\\tprint\\ndelete\\n")).toEqual(["dump", "delete"]);
  });

  it("offers files where the answer says so", () => {
    expect(bash(["map", "load", "id", "5", "file"], ":files\\n")).toEqual(["file name"]);
  });

  it("puts words together again that readline cut at a colon", () => {
    expect(bash(["map", "dump", "name", "a", ":", "b"], "a:bc\\n")).toEqual(["bc"]);
  });

  it("never runs what stands in the line", () => {
    expect(bash(["map", "$(touch /tmp/bpfmapctl-was-here)", ""], "x\\n")).toEqual(["x"]);
    expect(spawnSync("ls", ["/tmp/bpfmapctl-was-here"]).status).not.toBe(0);
  });
});

it("has a script for each shell, and says so where there is none", () => {
  expect(SHELLS).toEqual(["bash", "zsh", "fish"]);
  expect(() => completionScript("tcsh")).toThrow("there is one for bash, zsh, fish");
});
