import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { ctl, mustCtl } from "../cli/support/ctl.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { bpftoolDump, compiledObject, loadedMaps } from "./support/bpf-object.js";
import { type ExactJson, parseExact } from "./support/exact-json.js";

let daemon: TestDaemon;
let pins: string[];

beforeAll(async () => {
  daemon = await startDaemon();
  pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
  return () => daemon.dispose();
});

function pinOf(name: string): string {
  return pins.find((pin) => pin.endsWith(`/${name}`)) ?? "";
}

/** Runs bpfmapctl with arguments that may have spaces; it must succeed. */
async function run(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await ctl(daemon, args);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout;
}

/** bpftool's objects for anonymous members and data sections, made plain. */
function plain(json: ExactJson): unknown {
  if (json.kind === "array") return json.items.map(plain);
  if (json.kind !== "object") return json.text;
  const members = json.members.flatMap(([name, value]): [string, unknown][] => {
    const inner = plain(value);
    if (name === "") return Object.entries(inner as object);
    if (name.startsWith(".")) return (inner as object[]).flatMap(Object.entries);
    return [[name, inner]];
  });
  return Object.fromEntries(members);
}

describe("bpfmapctl on a map with types", () => {
  test.each(["counters", "routes", "hits", "kinds_data", "kinds_rodata"])(
    "dumps %s as bpftool does, in JSON and as text",
    async (name) => {
      const pin = pinOf(name);
      if (name === "counters") {
        await run(
          ...["map", "update", "pinned", pin, "key", "json", "5"],
          "value",
          '{"packets":1}',
        );
      }
      if (name === "routes") {
        const key = '{"prefixlen": 8, "addr": [10, 0, 0, 0]}';
        await run(...["map", "update", "pinned", pin, "key", key], "value", '"VERDICT_PASS"');
      }
      const theirs = plain(parseExact(bpftoolDump(pin)));
      expect(plain(parseExact(await run("-j", "map", "dump", "pinned", pin)))).toEqual(theirs);
      expect(plain(parseExact(await run("-p", "map", "dump", "pinned", pin)))).toEqual(theirs);
      const text = execFileSync("bpftool", ["map", "dump", "pinned", pin], { encoding: "utf8" });
      const own = await run("map", "dump", "pinned", pin);
      expect(plain(parseExact(own))).toEqual(plain(parseExact(text)));
      // Where nothing is anonymous, it is the same to the last space.
      if (name === "routes" || name === "hits") expect(own).toBe(text);
    },
  );

  test("prints bytes with --hex", async () => {
    const text = await run("map", "dump", "pinned", pinOf("kinds_rodata"), "--hex");
    expect(text).toMatch(/^key: 00 00 00 00 {2}value: 64 00 00 00 65 74 68 30/);
  });

  test("looks up by JSON keys and by bytes, one CPU's value too", async () => {
    const pin = pinOf("counters");
    const update = ["map", "update", "pinned", pin, "key", "json", "7", "value"];
    await run(...update, '{"packets": "18446744073709551615", "balance": -3}');
    const lookup = ["map", "lookup", "pinned", pin];
    const bytes = await run("-j", ...lookup, ..."key 7 0 0 0 0 0 0 0".split(" "));
    expect(await run("-j", ...lookup, "key", "json", "7")).toBe(bytes);
    expect(bytes).toContain(
      '"formatted":{"key":7,"values":[{"cpu":0,"value":{"packets":18446744073709551615,',
    );
    const one = await run(...lookup, "key", "json", "7", "--cpu", "1");
    expect(JSON.parse(one)).toMatchObject({ key: 7, value: { balance: -3 } });
    const missing = await ctl(daemon, [...lookup, "key", "json", "8"]);
    expect(missing).toMatchObject({ code: 2, stdout: "key:\n8\n\nNot found\n" });
    expect(await run("map", "getnext", "pinned", pin)).toContain("next key:\n");
    await run("map", "delete", "pinned", pin, "key", "json", "7");
    expect((await ctl(daemon, [...lookup, "key", "json", "7"])).code).toBe(2);
  });

  test("queries by field", async () => {
    const pin = pinOf("conntrack");
    for (let port = 1; port <= 20; port++) {
      const value = JSON.stringify({ bytes: port * 1000, verdict: port % 2 ? 2 : "VERDICT_DROP" });
      const key = JSON.stringify({ dport: port });
      await run("map", "update", "pinned", pin, "key", key, "value", value);
    }
    const dump = async (...options: string[]) =>
      (
        JSON.parse(await run("map", "dump", "pinned", pin, ...options)) as {
          key: { dport: number };
        }[]
      ).map(({ key }) => key.dport);
    expect(await dump("--by", "value.bytes", "--top", "3")).toEqual([20, 19, 18]);
    expect(await dump("--by", "value.bytes", "--bottom", "2")).toEqual([1, 2]);
    expect(
      await dump(
        ...["--where", "value.verdict == VERDICT_DROP", "--where", "value.bytes>=15000"],
        ...["--by", "key.dport"],
      ),
    ).toEqual([20, 18, 16]);
    expect(await run("map", "count", "pinned", pin, "--where", "value.bytes < 5000")).toBe(
      "4 of 1000 elements (0%)\n",
    );
    const bad = await ctl(daemon, ["map", "dump", "pinned", pin, "--where", "value.bytes"]);
    expect(bad.stderr).toContain('--where: "value.bytes" is not FIELD');
    const alone = await ctl(daemon, ["map", "dump", "pinned", pin, "--top", "3"]);
    expect(alone.stderr).toContain("--top and --bottom need --by");
  });

  test("tells what is wrong with JSON", async () => {
    const update = ["map", "update", "pinned", pinOf("counters"), "key", "json", "1", "value"];
    const { stderr, code } = await ctl(daemon, [...update, '{"packet": 1}']);
    expect(code).toBe(4);
    expect(stderr).toContain("value.packet: struct counter has no such member");
  });

  test("pushes and pops by the types of a program", async () => {
    const map = ["pinned", pinOf("jobs")];
    const program = pinOf("jobs").replace("maps/jobs", "programs/count");
    const types = ["--types", `prog:${program}`, "--value-type", "struct counter"];
    await run("map", "push", ...map, "value", '{"packets": 4}', ...types);
    expect(JSON.parse(await run("map", "peek", ...map, ...types))).toMatchObject({
      value: { packets: 4 },
    });
    expect(JSON.parse(await run("map", "pop", ...map, ...types))).toMatchObject({
      value: { rx_packets: 4 },
    });
  });

  test("prints schemas", async () => {
    const text = await run("map", "schema", "pinned", pinOf("routes"));
    expect(text).toBe(
      "prefix_t /* struct */ {\n\t__u32 prefixlen;\n\t__u8 addr[4];\n} key;\n\n" +
        "enum verdict {\n\tVERDICT_NONE = 0,\n\tVERDICT_PASS = 2,\n\tVERDICT_DROP = 3,\n} value;\n",
    );
    const json = JSON.parse(await run("-j", "map", "schema", "pinned", pinOf("routes")));
    expect(json).toMatchObject({ source: "map" });
    const value = json.types.find((type: { id: number }) => type.id === json.value_type_id);
    expect(value).toMatchObject({
      kind: "enum",
      size: 4,
      enumerators: [{ name: "VERDICT_NONE", value: 0 }, {}, {}],
    });
  });

  test("watches by type", async () => {
    const pin = pinOf("switches");
    const line = await mustCtl(daemon, `map watch pinned ${pin} --count 1`);
    expect(line).toMatch(/init {4}key 0 {2}value false\n$/);
    const json = JSON.parse(
      (await mustCtl(daemon, `-j map watch pinned ${pin} --count 1`)).split("\n")[1] ?? "",
    );
    expect(json).toMatchObject({
      key: ["0x00", "0x00", "0x00", "0x00"],
      formatted: { key: 0, value: false },
    });
    const hex = await mustCtl(daemon, `map watch pinned ${pin} --count 1 --hex`);
    expect(hex).toMatch(/key 00 00 00 00 {2}value 00\n$/);
  });
});
