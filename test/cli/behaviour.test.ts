import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { ctl, ctlCommand, ctlComplete, ctlProcess, mustCtl } from "./support/ctl.js";

// How the command behaves as a program among others: pipes, terminals, signals.

let daemon: TestDaemon;
let big: string;
beforeAll(async () => {
  daemon = await startDaemon();
  big = `${daemon.bpffs}/big`;
  await mustCtl(daemon, `map create ${big} type hash key 4 value 64 entries 50000 name big`);
  const value = "7 ".repeat(64).trim();
  const lines = Array.from(
    { length: 50_000 },
    (_, at) => `key ${at & 255} ${(at >> 8) & 255} 0 0 value ${value}`,
  );
  await mustCtl(daemon, `map load pinned ${big}`, { input: lines.join("\n") });
  return () => daemon.dispose();
});

/** Runs a shell line in which `bpfmapctl` is the command under test. */
function shell(line: string) {
  const quoted = ctlCommand(daemon, [])
    .map((word) => `'${word}'`)
    .join(" ");
  return spawnSync("bash", ["-c", `bpfmapctl() { ${quoted} "$@"; }; ${line}`], {
    encoding: "utf8",
  });
}

describe("pipes", () => {
  it.each(["-j", "--no-color"])("end quietly where the reader has enough (%s)", (form) => {
    const { stdout, stderr } = shell(
      `bpfmapctl ${form} map dump pinned ${big} | head -c 10; echo " \${PIPESTATUS[0]}"`,
    );
    expect(stderr).toBe("");
    expect(stdout.endsWith(" 0\n")).toBe(true);
  });

  it("are written at the reader's pace", async () => {
    const [program, ...args] = ctlCommand(daemon, ["-j", "map", "dump", "pinned", big]);
    const child = spawn(program!, args, { stdio: ["ignore", "pipe", "inherit"] });
    let length = 0;
    for await (const part of child.stdout) {
      length += (part as Buffer).length;
      // Somebody who reads slowly at first.
      if (length < 1 << 20) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const element = `{"key":[${'"0x00",'.repeat(4)}],"value":[${'"0x00",'.repeat(64)}]}`.length - 2;
    expect(length).toBe(50_000 * (element + 1) + 2);
  });
});

describe("a terminal", () => {
  // script(1) runs a command on a terminal of its own.
  const onTerminal = (line: string, env = "") => {
    const command = ctlCommand(daemon, line.split(" ")).join(" ");
    const { stdout } = spawnSync("script", ["-qec", `${env} ${command}`, "/dev/null"], {
      encoding: "utf8",
      env: { ...process.env, TERM: "xterm", NO_COLOR: "" },
    });
    return stdout.replaceAll("\r\n", "\n");
  };

  it("gets tables with colour", async () => {
    const pin = `${daemon.bpffs}/shown`;
    await mustCtl(daemon, `map create ${pin} type hash key 1 value 3 entries 4 name shown`);
    await mustCtl(daemon, `map update pinned ${pin} key 1 value 65 66 0`);
    const table = onTerminal(`map dump pinned ${pin}`);
    expect(table).toContain("\u001b[");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
    expect(table.replace(/\u001b\[\d+m/g, "")).toBe(
      ["KEY  VALUE     ASCII", "01   41 42 00  AB.", "Found 1 element", ""].join("\n"),
    );
    expect(onTerminal(`map show pinned ${pin}`)).toContain("TYPE");
  });

  it("gets none where it is not wanted", () => {
    expect(onTerminal(`map show pinned ${big} --no-color`)).not.toContain("\u001b");
    expect(onTerminal(`map show pinned ${big}`, "NO_COLOR=1")).not.toContain("\u001b");
    expect(onTerminal(`-j map show pinned ${big}`)).not.toContain("\u001b");
  });
});

describe("interruption", () => {
  it("ends a dump, and the daemon with it", async () => {
    const args = ["-j", "map", "dump", "pinned", big, "--rate", "100"];
    const [program, ...rest] = ctlCommand(daemon, args);
    const child = spawn(program!, rest, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.once("data", () => child.kill("SIGINT"));
    let stderr = "";
    child.stderr.on("data", (part) => {
      stderr += part;
    });
    const [code] = await once(child, "close");
    expect([code, stderr]).toEqual([130, "Error: interrupted\n"]);
  });

  it("ends a load that waits for its input", async () => {
    const [program, ...rest] = ctlCommand(daemon, ["map", "load", "pinned", big]);
    const child = spawn(program!, rest, { stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.write("key 0 0 0 0 value ");
    // The load has begun when the daemon has a call of it; a lookup after it tells nothing,
    // so the signal is sent until it is heeded.
    const nudge = setInterval(() => child.kill("SIGINT"), 200);
    const [code, signal] = await once(child, "exit");
    clearInterval(nudge);
    expect(code === 130 || signal === "SIGINT").toBe(true);
  });
});

describe("errors", () => {
  it.each([
    ["map lookup id 4294967295 key 1", 2],
    ["map show name nobody_has_this", 2],
    ["map dump id 0", 4],
    ["map zork", 1],
    ["--zork", 1],
    ["map dump", 1],
    ["--address nonsense host", 1],
    ["--address localhost:1 --plaintext --timeout 20s host", 9],
  ])("%s: one line on stderr, an object with -j", async (line, code) => {
    const plain = await ctl(daemon, line.split(" "));
    expect(plain.code).toBe(code);
    expect(plain.stdout).toBe("");
    expect(plain.stderr).toMatch(/^Error: [^\n]+\n$/);
    const json = await ctl(daemon, ["-j", ...line.split(" ")]);
    expect(json.code).toBe(code);
    expect(JSON.parse(json.stdout)).toEqual({ error: plain.stderr.slice(7, -1) });
    expect(json.stderr).toBe("");
  });

  it("says where the daemon was looked for", async () => {
    const ran = await ctl(daemon, ["--address", "unix:/nowhere/sock", "map", "show"]);
    expect(ran.code).toBe(9);
    expect(ran.stderr).toContain("unix:/nowhere/sock");
  });

  it("refuses TCP without TLS or --plaintext before anything is sent", async () => {
    const ran = await ctl(daemon, ["--address", "localhost:1", "--tls-ca", "/nowhere", "host"]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("cannot read /nowhere");
  });
});

it("runs as a program, with its address from the environment", async () => {
  const [program, main] = ctlCommand(daemon, []);
  const { stdout, status } = spawnSync(program!, [main!, "-j", "host"], {
    encoding: "utf8",
    env: { ...process.env, BPFMAPCTL_ADDRESS: `unix:${daemon.socket}` },
  });
  expect(JSON.parse(stdout)).toHaveProperty("boot_id");
  expect(status).toBe(0);
  const failed = await ctlProcess(daemon, ["map", "show", "name", "nobody_has_this"]);
  expect(failed).toMatchObject({ code: 2, stdout: "" });
});

it("completes ids, names, pins and holds that are there", async () => {
  await mustCtl(daemon, "map create --hold held_one type hash key 1 value 1 entries 1 name tabbed");
  const offered = (...words: string[]) => ctlComplete(daemon, words);
  expect(await offered("map", "dump", "name", "tab")).toEqual(["tabbed"]);
  expect(await offered("map", "dump", "held", "")).toContain("held_one");
  expect(await offered("map", "release", "held")).toEqual(["held_one"]);
  expect(await offered("map", "dump", "pinned", `${daemon.bpffs}/b`)).toEqual([big, ":files"]);
  const id = (await mustCtl(daemon, "map show name tabbed")).split(":")[0]!;
  expect(await offered("map", "dump", "id", id)).toContain(id);
  await mustCtl(daemon, "map release held_one");
});
