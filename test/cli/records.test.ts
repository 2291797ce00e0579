import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  FP,
  mapInfo,
  ProgramType,
  pageSize,
  programTestRun,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  RingBufferReader,
} from "#dist/kernel/index.js";
import { returned, testMap, testProgram } from "../kernel/support/programs.js";
import { drainProgram } from "../kernel/support/rings.js";
import {
  fdsOf,
  makeProducer,
  makeRing,
  PERF_EVENT_ARRAY,
  USER_RINGBUF,
} from "../records/support/rings.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { ctl, ctlCommand } from "./support/ctl.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** A perf event array, and a program that writes 40 known bytes into a slot on CPU 0. */
function eventSource(slot = 0) {
  const fd = testMap({ type: PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries: 8 });
  const program = new Assembler().mov(R6, R1);
  for (let at = 0; at < 40; at += 8) program.store("u64", FP, at - 40, at + 0x20);
  program
    .mov(R1, R6)
    .loadMap(R2, fd)
    .mov(R3, slot)
    .mov(R4, FP)
    .add(R4, -40)
    .mov(R5, 40)
    .call("perf_event_output")
    .exit();
  const writer = testProgram(program, { type: ProgramType.RAW_TRACEPOINT });
  // What the program answers is 0 once its event is there, and an error before.
  const write = () => programTestRun(writer, { cpu: 0 }).returnValue === 0;
  return { id: mapInfo(fd).id, write };
}

/** Runs a command that reads until it is interrupted; interrupts it after two events. */
async function pipe(command: readonly string[], write: () => boolean, printsAtOnce: boolean) {
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => {
    output.stdout += data;
  });
  child.stderr.on("data", (data) => {
    output.stderr += data;
  });
  for (let written = 0; written < 2; ) {
    if (child.exitCode !== null) throw new Error(output.stderr);
    if (write()) written++;
    else await sleep(20);
  }
  // bpftool prints into a pipe only when it ends.
  if (!printsAtOnce) await sleep(1000);
  while (printsAtOnce && output.stdout.split("index").length < 3) await sleep(20);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  return { ...output, code };
}

describe("map event_pipe", () => {
  it.each([[[]], [["-j"]], [["-p"]]])("%s prints what bpftool prints", async (options) => {
    for (const slot of [[], ["cpu", "0", "index", "3"]]) {
      const source = eventSource(slot.length > 0 ? 3 : 0);
      const words = [...options, "map", "event_pipe", "id", String(source.id), ...slot];
      const theirs = await pipe(["bpftool", ...words], source.write, false);
      const ours = await pipe(ctlCommand(daemon, words), source.write, true);
      const timeless = (text: string) =>
        text.replace(/@\d+\.\d{9}/g, "@TIME").replace(/("timestamp": ?)\d+/g, "$1TIME");
      expect(timeless(ours.stdout)).toBe(timeless(theirs.stdout));
      expect(ours.stdout.match(/index/g)).toHaveLength(2);
      expect(ours.code).toBe(theirs.code);
      expect(ours.stderr).toBe(theirs.stderr);
    }
  });

  it.each([
    [["cpu", "0"], "cpu and index must be specified together"],
    [["index", "0"], "cpu and index must be specified together"],
    [["cpu", "x", "index", "0"], "can't parse x as CPU ID"],
    [["cpu"], "CPU ID is missing"],
    [["foo", "1"], "what is 'foo'?"],
  ])("refuses %s", async (slot, message) => {
    const { id } = eventSource();
    const ran = await ctl(daemon, ["map", "event_pipe", "id", String(id), ...slot]);
    expect(ran.stderr).toBe(`Error: ${message}\n`);
    expect(ran.code).toBe(1);
  });

  it("refuses other maps, in bpftool's words", async () => {
    const ran = await ctl(daemon, ["map", "event_pipe", "id", String(makeRing(pageSize()).id)]);
    expect(ran.stderr).toBe("Error: map is not a perf event array\n");
  });
});

describe("map records", () => {
  it("prints records as text, hexadecimal and ASCII", async () => {
    const ring = makeRing(1 << 16);
    makeProducer(ring, 2, 72).run();
    const ran = await ctl(daemon, ["map", "records", "id", String(ring.id), "--count", "2"]);
    expect(ran.stdout).toBe(
      [
        "#0  72 bytes",
        "00 00 00 00 00 00 00 00  08 00 00 00 00 00 00 00  |................|",
        "10 00 00 00 00 00 00 00  18 00 00 00 00 00 00 00  |................|",
        "20 00 00 00 00 00 00 00  28 00 00 00 00 00 00 00  | .......(.......|",
        "30 00 00 00 00 00 00 00  38 00 00 00 00 00 00 00  |0.......8.......|",
        "40 00 00 00 00 00 00 00                           |@.......|",
        "#1  72 bytes",
        "01 00 00 00 00 00 00 00  08 00 00 00 00 00 00 00  |................|",
        "10 00 00 00 00 00 00 00  18 00 00 00 00 00 00 00  |................|",
        "20 00 00 00 00 00 00 00  28 00 00 00 00 00 00 00  | .......(.......|",
        "30 00 00 00 00 00 00 00  38 00 00 00 00 00 00 00  |0.......8.......|",
        "40 00 00 00 00 00 00 00                           |@.......|",
        "",
      ].join("\n"),
    );
    expect(ran.code).toBe(0);
  });

  it("prints a JSON object a line", async () => {
    const ring = makeRing(1 << 16);
    makeProducer(ring, 1, 8).run();
    const ran = await ctl(daemon, ["-j", "map", "records", "id", String(ring.id), "--count", "1"]);
    expect(ran.stdout).toBe(
      '{"event":"record","sequence":0,"data":["0x00","0x00","0x00","0x00","0x00","0x00","0x00","0x00"]}\n',
    );
  });

  it("tells what the daemon refuses", async () => {
    const fd = testMap({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 });
    const ran = await ctl(daemon, ["map", "records", "id", String(mapInfo(fd).id)]);
    expect(ran.stderr).toContain("has no records to read");
    expect(ran.code).toBe(8);
    const ring = makeRing(pageSize());
    const small = await ctl(daemon, ["map", "records", "id", String(ring.id), "--queue", "1KiB"]);
    expect(small.stderr).toContain("queue_bytes");
    expect(small.code).toBe(4);
    const odd = await ctl(daemon, ["map", "records", "id", String(ring.id), "--queue", "much"]);
    expect(odd.stderr).toContain('"much" is not a size');
    expect(fdsOf(daemon, ring)).toEqual([]);
  });

  it.each(["records", "event_pipe"])("%s --help warns of taking records away", async (verb) => {
    const ran = await ctl(daemon, ["map", verb, "--help"]);
    expect(ran.stdout.replace(/\s+/g, " ")).toContain(
      "WARNING: what it prints is taken away from every other reader of the map",
    );
  });
});

describe("map write_records", () => {
  function userRing() {
    const ring = makeRing(1 << 16, USER_RINGBUF);
    const out = makeRing(1 << 16);
    const program = drainProgram(ring.fd, out.fd);
    const reader = RingBufferReader.open(out.fd);
    onTestFinished(() => reader.close());
    const drained = () => {
      returned(program);
      const seen: string[] = [];
      reader.read((bytes, start) => void seen.push(bytes.toString("hex", start, start + 8)));
      return seen;
    };
    return { ...ring, drained };
  }

  it("writes the lines of standard input or a file", async () => {
    const ring = userRing();
    const lines =
      "# commands\n01 02 03 04 05 06 07 08\n\nhex 0x11 12 13 14 15 16 17 18\n2122232425262728";
    const words = ["map", "write_records", "id", String(ring.id)];
    const ran = await ctl(daemon, words, { input: lines });
    expect(ran).toMatchObject({ stdout: "written 3\n", code: 0 });
    const expected = ["0102030405060708", "1112131415161718", "2122232425262728"];
    expect(ring.drained()).toEqual(expected);
    const directory = mkdtempSync(join(tmpdir(), "bpfmapctl-records-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "records");
    writeFileSync(file, lines);
    expect((await ctl(daemon, ["-j", ...words, file])).stdout).toBe('{"written":3}\n');
    expect(ring.drained()).toEqual(expected);
  });

  it("writes what map records has printed as JSON", async () => {
    const ring = makeRing(1 << 16);
    makeProducer(ring, 3, 8).run();
    const words = ["-j", "map", "records", "id", String(ring.id), "--count", "3"];
    const { stdout } = await ctl(daemon, words);
    const user = userRing();
    await ctl(daemon, ["map", "write_records", "id", String(user.id), "-"], { input: stdout });
    expect(user.drained()).toEqual(["0000000000000000", "0100000000000000", "0200000000000000"]);
  });

  it.each([
    ["00 0g", 'line 2: "0g" is not hexadecimal bytes'],
    ["012", 'line 2: "012" is not hexadecimal bytes'],
    ['{"data":["0x100"]}', 'line 2: "0x100" in "data" is not a byte'],
    ['{"data":[null]}', 'line 2: null in "data" is not a byte'],
    ["{}", 'line 2: there is no "data" array'],
    ["{", "line 2: no valid JSON"],
  ])("refuses a line %s", async (line, message) => {
    const ring = userRing();
    const input = `01 02 03 04 05 06 07 08\n${line}\n`;
    const ran = await ctl(daemon, ["map", "write_records", "id", String(ring.id)], { input });
    expect(ran.stderr).toContain(message);
    expect(ran.code).toBe(1);
  });

  it("fails where the ring is full, if that is asked for", async () => {
    const ring = makeRing(pageSize(), USER_RINGBUF);
    const words = ["map", "write_records", "id", String(ring.id), "--fail-when-full"];
    const ran = await ctl(daemon, words, { input: "0102030405060708\n".repeat(1000) });
    expect(ran.stderr).toContain("is full");
    expect(ran.code).toBe(7);
  });
});
