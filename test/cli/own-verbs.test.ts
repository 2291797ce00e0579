import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { bpftool, mustBpftool } from "./support/bpftool.js";
import { ctl, ctlBytes, ctlProcess, mustCtl } from "./support/ctl.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

let maps = 0;

/** Makes a map with `count` elements and returns its pin. */
async function makeMap(
  count: number,
  spec = "type hash key 4 value 2 entries 64",
): Promise<string> {
  const pin = `${daemon.bpffs}/map${maps++}`;
  await mustCtl(daemon, `map create ${pin} ${spec} name m`);
  const lines = Array.from({ length: count }, (_, at) => `key ${at} 0 0 0 value ${at} 1`);
  if (count > 0) await mustCtl(daemon, `map load pinned ${pin} -`, { input: lines.join("\n") });
  return pin;
}

function elements(pin: string): string[] {
  const dump = JSON.parse(mustBpftool("-j", "map", "dump", "pinned", pin)) as unknown[];
  return dump.map((element) => JSON.stringify(element)).sort();
}

describe("load", () => {
  it.each([["-j"], ["-p"], ["--no-color"]])(
    "takes its own and bpftool's dump with %s",
    async (form) => {
      const from = await makeMap(20);
      const to = await makeMap(0);
      const dump = await mustCtl(daemon, `${form} map dump pinned ${from}`);
      expect(await mustCtl(daemon, `map load pinned ${to}`, { input: dump })).toBe(
        "received 20, written 20\n",
      );
      expect(elements(to)).toEqual(elements(from));
      const again = await makeMap(0);
      const options = form === "--no-color" ? [] : [form];
      const input = mustBpftool(...options, "map", "dump", "pinned", from);
      await mustCtl(daemon, `map load pinned ${again} -`, { input });
      expect(elements(again)).toEqual(elements(from));
    },
  );

  it("replaces contents, and only tells of it in a dry run", async () => {
    const pin = await makeMap(3);
    const file = join(daemon.directory, "replacement");
    writeFileSync(file, "key 0 0 0 0 value 0 1\nkey 1 0 0 0 value 9 9\nkey 7 0 0 0 value 7 7\n");
    const before = elements(pin);
    expect(await mustCtl(daemon, `map load pinned ${pin} ${file} --replace --dry-run`)).toBe(
      "dry run: received 3, written 0, added 1, changed 1, unchanged 1, removed 1\n",
    );
    expect(elements(pin)).toEqual(before);
    const told = await mustCtl(daemon, `-j map load pinned ${pin} ${file} --replace`);
    expect(JSON.parse(told)).toEqual({
      received: 3,
      written: 2,
      added: 1,
      changed: 1,
      unchanged: 1,
      removed: 1,
    });
    expect(elements(pin)).toHaveLength(3);
  });

  it("removes nothing where the file has a fault", async () => {
    const pin = await makeMap(3);
    const before = elements(pin);
    const ran = await ctl(daemon, `map load pinned ${pin} --replace`.split(" "), {
      input: "key 0 0 0 0 value 0 1\nkey 1 0 0 value 1 2\n",
    });
    expect(ran).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: standard input: line 2: key expected 4 bytes got 3\n",
    });
    expect(elements(pin)).toEqual(before);
  });

  it("fills every CPU of a per-CPU map, or each its own", async () => {
    const pin = await makeMap(0, "type percpu_hash key 1 value 2 entries 4");
    const cpus = (await daemon.client.host.getHost({})).host!.possibleCpus;
    const own = cpus.map((cpu) => `value (CPU ${String(cpu).padStart(2, "0")}): 0${cpu % 10} 00`);
    const input = `key 1 value 5 6\nkey: 02\n${own.join("\n")}\n`;
    await mustCtl(daemon, `map load pinned ${pin}`, { input });
    const dump = JSON.parse(mustBpftool("-j", "map", "dump", "pinned", pin)) as {
      key: string[];
      values: { cpu: number; value: string[] }[];
    }[];
    const byKey = new Map(dump.map(({ key, values }) => [key[0], values]));
    expect(byKey.get("0x01")).toEqual(cpus.map((cpu) => ({ cpu, value: ["0x05", "0x06"] })));
    expect(byKey.get("0x02")).toEqual(
      cpus.map((cpu) => ({ cpu, value: [`0x0${cpu % 10}`, "0x00"] })),
    );
  });

  it("pushes into a queue in order", async () => {
    const pin = await makeMap(0, "type queue key 0 value 2 entries 4");
    await mustCtl(daemon, `map load pinned ${pin}`, { input: "value 1 2\nvalue 3 4\n" });
    expect(await mustCtl(daemon, `map pop pinned ${pin}`)).toBe("value: 01 02\n");
    expect(await mustCtl(daemon, `map pop pinned ${pin}`)).toBe("value: 03 04\n");
  });

  it("takes more than one chunk, from a file and from a pipe", async () => {
    const count = 60_000;
    const pin = await makeMap(0, `type hash key 4 value 8 entries ${count}`);
    const file = join(daemon.directory, "many");
    const element = (at: number) =>
      `key ${at & 255} ${(at >> 8) & 255} 0 0 value 0 0 0 0 0 0 0 ${at & 255}`;
    writeFileSync(file, Array.from({ length: count }, (_, at) => element(at)).join("\n"));
    expect(await mustCtl(daemon, `map load pinned ${pin} ${file}`)).toContain("written 60000");
    expect(await mustCtl(daemon, `map count pinned ${pin}`)).toBe(
      "60000 of 60000 elements (100%)\n",
    );
    const copy = await makeMap(0, `type hash key 4 value 8 entries ${count}`);
    const dump = await ctlBytes(daemon, ["-j", "map", "dump", "pinned", pin]);
    await mustCtl(daemon, `map load pinned ${copy}`, { input: dump.stdout });
    expect(elements(copy)).toEqual(elements(pin));
  });

  it("ends with 7 where the map is full", async () => {
    const pin = await makeMap(0, "type hash key 4 value 2 entries 1");
    const input = "key 1 0 0 0 value 1 1\nkey 2 0 0 0 value 1 1\n";
    const ran = await ctl(daemon, ["map", "load", "pinned", pin], { input });
    expect(ran.code).toBe(7);
    expect(ran.stderr).toMatch(/^Error: .*full/);
  });
});

describe("count and clear", () => {
  it("count the elements, and remove them", async () => {
    const pin = await makeMap(5);
    expect(await mustCtl(daemon, `map count pinned ${pin}`)).toBe("5 of 64 elements (8%)\n");
    expect(JSON.parse(await mustCtl(daemon, `-j map count pinned ${pin}`))).toEqual({
      count: 5,
      max_entries: 64,
      complete: true,
    });
    expect(await mustCtl(daemon, `map clear pinned ${pin}`)).toBe("removed 5 elements\n");
    expect(JSON.parse(await mustCtl(daemon, `-j map clear pinned ${pin}`))).toEqual({ removed: 0 });
    expect(elements(pin)).toEqual([]);
  });
});

describe("sum", () => {
  const spec = "type hash key 4 value 12 entries 64";
  async function filled(): Promise<string> {
    const pin = await makeMap(0, spec);
    const input = [
      "key 1 0 0 0 value 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff",
      "key 2 0 0 0 value 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 5 0 0 0",
      "key 3 0 0 0 value 2 0 0 0 0 0 0 0 3 0 0 0",
    ].join("\n");
    await mustCtl(daemon, `map load pinned ${pin} -`, { input });
    return pin;
  }

  it("folds the first number of the values, past 64 bits", async () => {
    expect(await mustCtl(daemon, `map sum pinned ${await filled()}`)).toBe(
      "FIELD  COUNT                         SUM  MIN                         MAX\n" +
        "0/u64      3  36,893,488,147,419,103,232    2  18,446,744,073,709,551,615\n",
    );
  });

  it("shows the keys that have most, and how numbers are spread", async () => {
    const pin = await filled();
    expect(await mustCtl(daemon, `map sum pinned ${pin} --field 8/i32 --top 2 --histogram`)).toBe(
      "FIELD  COUNT  SUM  MIN  MAX\n" +
        "8/i32      3    7   -1    5\n" +
        "\n" +
        "8/i32\n" +
        "NUMBERS  COUNT\n" +
        "below 0      1  ########################################\n" +
        "      0      0\n" +
        "      1      0\n" +
        " 2 .. 3      1  ########################################\n" +
        " 4 .. 7      1  ########################################\n" +
        "\n" +
        "8/i32  KEY\n" +
        "    5  02 00 00 00\n" +
        "    3  03 00 00 00\n" +
        "<= -1  any other\n",
    );
  });

  it("tells exact numbers as JSON", async () => {
    const pin = await filled();
    const text = await mustCtl(
      daemon,
      `-j map sum pinned ${pin} --field 0/u64 --field 8/u8 --top 1`,
    );
    expect(text).toContain('"sum":36893488147419103232,');
    expect(JSON.parse(text)).toMatchObject({
      elements: 3,
      complete: true,
      totals: [
        { field: "0/u64", count: 3, min: 2 },
        { field: "8/u8", count: 3, sum: 263, min: 3, max: 255 },
      ],
      top: [{ key: ["0x01", "0x00", "0x00", "0x00"] }],
    });
  });

  it("refuses what is no field, and what lies outside the value", async () => {
    const pin = await filled();
    const wrong = await ctl(daemon, ["map", "sum", "pinned", pin, "--field", "8"]);
    expect(wrong.stderr).toMatch(/"8" is neither a path, such as value.bytes, nor OFFSET\/TYPE/);
    const outside = await ctl(daemon, ["map", "sum", "pinned", pin, "--field", "8/u64"]);
    expect(outside.stderr).toMatch(/8 bytes from 8 on are outside the value, which has 12/);
    expect([wrong.code, outside.code]).toEqual([1, 4]);
  });
});

describe("holds", () => {
  it("keep a map that has no pin, until it is released", async () => {
    const spec = "type hash key 4 value 4 entries 4 name kept";
    await mustCtl(daemon, `map create --hold kept ${spec}`);
    const [map] = (await mustCtl(daemon, "map show held kept")).split(":");
    await mustCtl(daemon, "map update held kept key 1 0 0 0 value 2 0 0 0");
    await daemon.restart();
    expect(await mustCtl(daemon, "map lookup held kept key 1 0 0 0")).toBe(
      "key: 01 00 00 00  value: 02 00 00 00\n",
    );
    expect(await mustCtl(daemon, "-j map release kept")).toBe("null\n");
    expect((await ctl(daemon, ["map", "show", "held", "kept"])).code).toBe(2);
    expect(bpftool("map", "show", "id", map!).code).not.toBe(0);
  });

  it("have leases that are shown and renewed", async () => {
    const pin = await makeMap(0);
    expect(await mustCtl(daemon, `map hold pinned ${pin} leased --lease 1h`)).toMatch(
      /^held as leased \(lease 1h, until \d{4}-.*Z\)\n$/,
    );
    const before = JSON.parse(await mustCtl(daemon, `-j map show pinned ${pin}`)) as {
      holds: { name: string; lease_ms: number; expires_at: string }[];
    };
    expect(before.holds).toMatchObject([{ name: "leased", lease_ms: 3_600_000 }]);
    const [renewed] = JSON.parse(await mustCtl(daemon, "-j map keepalive leased")) as {
      expires_at: string;
    }[];
    expect(Date.parse(renewed!.expires_at)).toBeGreaterThanOrEqual(
      Date.parse(before.holds[0]!.expires_at),
    );
    expect((await mustCtl(daemon, `map show pinned ${pin}`)).split("\n")).toHaveLength(4);
    await mustCtl(daemon, "map release leased");
  });

  it("are told from each other", async () => {
    const pin = await makeMap(0);
    await mustCtl(daemon, `map hold pinned ${pin} taken`);
    const other = await makeMap(0);
    expect((await ctl(daemon, `map hold pinned ${other} taken`.split(" "))).code).toBe(3);
    expect((await ctl(daemon, "map keepalive taken nobody".split(" "))).code).toBe(2);
    expect((await ctl(daemon, "map release nobody".split(" "))).code).toBe(2);
    await mustCtl(daemon, "map release taken");
  });
});

describe("pins", () => {
  it("are made and removed, with their directories", async () => {
    const pin = await makeMap(0);
    const deep = `${daemon.bpffs}/a/b/c`;
    await mustCtl(daemon, `map pin pinned ${pin} ${deep} --parents`);
    expect(existsSync(deep)).toBe(true);
    expect((await mustCtl(daemon, `-f map show pinned ${pin}`)).split("\n")).toContain(
      `\tpinned ${deep}`,
    );
    await mustCtl(daemon, `map unpin ${deep} --parents`);
    expect(existsSync(`${daemon.bpffs}/a`)).toBe(false);
    expect((await ctl(daemon, ["map", "unpin", deep])).code).toBe(2);
  });

  it("may be named by a path from here, as with bpftool", async () => {
    const pin = await makeMap(1);
    const name = pin.slice(daemon.bpffs.length + 1);
    const ran = await ctlProcess(daemon, ["map", "dump", "pinned", name], { cwd: daemon.bpffs });
    expect(ran.stdout).toBe(mustBpftool("map", "dump", "pinned", pin));
  });
});

describe("export and import", () => {
  it("bring a map back, into another or into a new one", async () => {
    const pin = await makeMap(30);
    const file = join(daemon.directory, "map.bpfmap");
    expect(await mustCtl(daemon, `map export pinned ${pin} ${file}`)).toBe(
      "exported 30 elements\n",
    );
    const into = await makeMap(0);
    expect(await mustCtl(daemon, `map import ${file} into pinned ${into}`)).toBe(
      "received 30, written 30\n",
    );
    expect(elements(into)).toEqual(elements(pin));
    const made = `${daemon.bpffs}/made`;
    await mustCtl(daemon, `map import ${file} create ${made} name other entries 32`);
    expect(elements(made)).toEqual(elements(pin));
    expect(JSON.parse(mustBpftool("-j", "map", "show", "pinned", made))).toMatchObject({
      type: "hash",
      name: "other",
      bytes_key: 4,
      bytes_value: 2,
      max_entries: 32,
    });
    await mustCtl(daemon, `map import ${file} create --hold made`);
    expect(await mustCtl(daemon, "map count held made")).toBe("30 of 64 elements (47%)\n");
    await mustCtl(daemon, "map release made");
  });

  it("bring back per-CPU values whole, and an export is taken by load as well", async () => {
    const pin = await makeMap(0, "type percpu_hash key 4 value 2 entries 64");
    await mustCtl(daemon, `map update pinned ${pin} key 1 0 0 0 value 3 4`);
    await mustCtl(daemon, `map update pinned ${pin} key 1 0 0 0 value 9 9 --cpu 0`);
    const file = join(daemon.directory, "percpu.bpfmap");
    await mustCtl(daemon, `map export pinned ${pin} ${file}`);
    const to = await makeMap(0, "type percpu_hash key 4 value 2 entries 64");
    await mustCtl(daemon, `map load pinned ${to} ${file}`);
    expect(elements(to)).toEqual(elements(pin));
    expect(elements(to)[0]).toContain('{"cpu":0,"value":["0x09","0x09"]}');
  });

  it("go through a pipe one way", async () => {
    const pin = await makeMap(2);
    const piped = await ctlBytes(daemon, ["map", "export", "pinned", pin, "-"]);
    const file = join(daemon.directory, "piped.bpfmap");
    writeFileSync(file, piped.stdout);
    const to = await makeMap(0);
    await mustCtl(daemon, `map import ${file} into pinned ${to}`);
    expect(elements(to)).toEqual(elements(pin));
    const ran = await ctl(daemon, ["map", "import", "-", "into", "pinned", to]);
    expect(ran.stderr).toContain("an import is read twice");
  });

  it("touch no map where the file or the map is not right", async () => {
    const pin = await makeMap(3);
    const file = join(daemon.directory, "good.bpfmap");
    await mustCtl(daemon, `map export pinned ${pin} ${file}`);
    const cut = join(daemon.directory, "cut.bpfmap");
    writeFileSync(cut, readFileSync(file).subarray(0, -5));
    const to = await makeMap(1);
    const before = elements(to);
    const made = `${daemon.bpffs}/never`;
    const other = await makeMap(0, "type hash key 4 value 3 entries 64");
    for (const [line, message] of [
      [`map import ${cut} into pinned ${to}`, "cut"],
      [`map import ${cut} create ${made}`, "cut"],
      [`map load pinned ${to} ${cut} --replace`, "cut"],
      [`map import ${file} into pinned ${other}`, "value size was 2, is 3"],
      [`map import ${file} create ${made} entries 2`, "full"],
      [`map import ${file}`, "say where to"],
      [`map export pinned ${pin} ${file}`, "--force replaces it"],
      [`map import ${daemon.directory}/nothing into pinned ${to}`, "no such file"],
    ] as const) {
      const ran = await ctl(daemon, line.split(" "));
      expect([line, ran.code === 0]).toEqual([line, false]);
      expect(ran.stderr).toContain(message);
      expect(ran.stderr.match(/^Error: /g)).toHaveLength(1);
    }
    expect(elements(to)).toEqual(before);
    expect(elements(other)).toEqual([]);
    expect(existsSync(made)).toBe(false);
  });
});

describe("create", () => {
  it("needs something that keeps the map alive, and says so", async () => {
    const ran = await ctl(daemon, "map create --lease 5s type hash name x".split(" "));
    expect(ran.stderr).toBe("Error: --lease is for a hold: give --hold NAME too\n");
  });

  it("reuses a map that fits, where that is asked for", async () => {
    const pin = await makeMap(2);
    const line = `map create ${pin} type hash key 4 value 2 entries 64 name m`;
    expect((await ctl(daemon, line.split(" "))).code).toBe(3);
    await mustCtl(daemon, `${line} --if-exists reuse`);
    expect(elements(pin)).toHaveLength(2);
    const other = line.replace("value 2", "value 4");
    expect((await ctl(daemon, `${other} --if-exists reuse`.split(" "))).code).toBe(5);
  });

  it("takes the template of a map of maps", async () => {
    const inner = await makeMap(0);
    const outer = `${daemon.bpffs}/outer`;
    await mustCtl(
      daemon,
      `map create ${outer} type hash_of_maps key 4 value 4 entries 4 name o inner_map pinned ${inner}`,
    );
    expect(mustBpftool("map", "show", "pinned", outer)).toContain("hash_of_maps  name o");
  });

  it("asks a bloom filter", async () => {
    const pin = await makeMap(0, "type bloom_filter key 0 value 4 entries 64");
    await mustCtl(daemon, `map push pinned ${pin} value 1 2 3 4`);
    expect(await mustCtl(daemon, `map peek pinned ${pin} value 1 2 3 4`)).toBe(
      "value: 01 02 03 04\n",
    );
    const ran = await ctl(daemon, `map peek pinned ${pin} value 9 9 9 9`.split(" "));
    expect([ran.code, ran.stdout]).toEqual([2, "key:\n\n\nNot found\n"]);
  });
});

describe("dump", () => {
  it("can be limited, chosen by prefix, and folded over the CPUs", async () => {
    const pin = await makeMap(20);
    const limited = JSON.parse(await mustCtl(daemon, `-j map dump pinned ${pin} --limit 5`));
    expect(limited).toHaveLength(5);
    const ran = await ctl(daemon, ["map", "dump", "pinned", pin, "--prefix", "hex 0a 0"]);
    expect(ran.stdout).toBe("key: 0a 00 00 00  value: 0a 01\nFound 1 element\n");
    const counters = await makeMap(0, "type percpu_hash key 1 value 8 entries 4");
    await mustCtl(daemon, `map update pinned ${counters} key 1 value 3 0 0 0 0 0 0 0`);
    const cpus = (await daemon.client.host.getHost({})).host!.possibleCpus.length;
    const sum = (3 * cpus).toString(16).padStart(2, "0");
    expect(await mustCtl(daemon, `map dump pinned ${counters} --sum u64`)).toBe(
      `key: 01  value: ${sum} 00 00 00 00 00 00 00\nFound 1 element\n`,
    );
    expect(await mustCtl(daemon, `map dump pinned ${counters} --cpu 0`)).toBe(
      "key: 01  value: 03 00 00 00 00 00 00 00\nFound 1 element\n",
    );
  });
});

it("tells about the host", async () => {
  const told = JSON.parse(await mustCtl(daemon, "-j host")) as Record<string, unknown>;
  const { host } = await daemon.client.host.getHost({});
  expect(told).toMatchObject({
    boot_id: host!.bootId,
    byte_order: "little-endian",
    possible_cpus: host!.possibleCpus,
    bpffs_roots: [daemon.bpffs],
  });
  expect(await mustCtl(daemon, "host")).toContain(`boot id          ${host!.bootId}\n`);
});
