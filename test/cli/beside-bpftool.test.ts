import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { bpftool, mustBpftool, type Ran } from "./support/bpftool.js";
import { ctl, mustCtl } from "./support/ctl.js";

// Every command is run by both tools, each on a map of its own that was made and
// changed in the same way, or, where it only reads, both on the same map.

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

interface Case {
  type: string;
  keySize: number;
  valueSize: number;
  flags: number;
  /** Keys to fill it with, and one that is not there, as DATA. */
  keys: string[];
  missing: string;
}

const index = (number: number) => `${number} 0 0 0`;
const keyed: Case[] = [
  {
    type: "hash",
    keySize: 4,
    valueSize: 8,
    flags: 0,
    keys: ["1 2 3 4", "hex ff fe a e", "0 0 0 0"],
    missing: "9 9 9 9",
  },
  {
    type: "hash",
    keySize: 1,
    valueSize: 40,
    flags: 1,
    keys: ["1", "2", "0377"],
    missing: "9",
  },
  {
    type: "array",
    keySize: 4,
    valueSize: 3,
    flags: 0,
    keys: [index(0), index(2)],
    missing: index(8),
  },
  {
    type: "percpu_hash",
    keySize: 4,
    valueSize: 4,
    flags: 0,
    keys: ["1 2 3 4", "5 6 7 8"],
    missing: "9 9 9 9",
  },
  {
    type: "percpu_array",
    keySize: 4,
    valueSize: 20,
    flags: 0,
    keys: [index(0), index(1)],
    missing: index(8),
  },
  {
    type: "lru_hash",
    keySize: 20,
    valueSize: 2,
    flags: 0,
    keys: [`1 ${"0 ".repeat(19)}`.trim(), `2 ${"7 ".repeat(19)}`.trim()],
    missing: `9 ${"9 ".repeat(19)}`.trim(),
  },
  {
    type: "lru_percpu_hash",
    keySize: 4,
    valueSize: 8,
    flags: 0,
    keys: ["1 2 3 4", "5 6 7 8"],
    missing: "9 9 9 9",
  },
  {
    type: "lpm_trie",
    keySize: 8,
    valueSize: 4,
    flags: 1,
    keys: ["24 0 0 0 10 1 1 0", "8 0 0 0 10 0 0 0", "32 0 0 0 10 1 1 7"],
    missing: "32 0 0 0 192 168 0 1",
  },
];

const forms = [[], ["-j"], ["-p"]];

describe.each(keyed)("$type, key $keySize, value $valueSize, flags $flags", (spec) => {
  const entries = spec.type.includes("array") ? 4 : 16;
  const words =
    `type ${spec.type} key ${spec.keySize} value ${spec.valueSize} entries ${entries} ` +
    `name same flags ${spec.flags}`;
  const value = (seed: number) =>
    Array.from({ length: spec.valueSize }, (_, at) => (seed * 17 + at) % 256).join(" ");
  let ours: string;
  let theirs: string;

  /** Runs the same command with both tools, each on its own map. */
  async function both(options: string[], verb: string, rest: string): Promise<[Ran, Ran]> {
    const tail = rest === "" ? [] : rest.split(" ");
    return [
      await ctl(daemon, [...options, "map", verb, "pinned", ours, ...tail]),
      bpftool(...options, "map", verb, "pinned", theirs, ...tail),
    ];
  }

  /** Runs the same reading command with both tools on the same map. */
  async function readBoth(pin: string, options: string[], verb: string, rest: string) {
    const args = [...options, "map", verb, "pinned", pin, ...(rest === "" ? [] : rest.split(" "))];
    return [await ctl(daemon, args), bpftool(...args)] as const;
  }

  function expectSame([mine, oracle]: readonly [Ran, Ran]): void {
    expect(mine.stdout).toBe(oracle.stdout);
    expect(mine.stderr === "").toBe(oracle.stderr === "");
    expect(mine.code === 0).toBe(oracle.code === 0);
  }

  beforeAll(async () => {
    const stem = `${daemon.bpffs}/${spec.type}_${spec.keySize}`;
    ours = `${stem}_ours`;
    theirs = `${stem}_theirs`;
    expect(await mustCtl(daemon, `map create ${ours} ${words}`)).toBe("");
    expect(mustBpftool("map", "create", theirs, ...words.split(" "))).toBe("");
    for (const [seed, key] of spec.keys.entries()) {
      const rest = `key ${key} value ${value(seed)}`;
      expectSame(await both([], "update", rest));
    }
  });

  it("reads its own map as bpftool reads it", async () => {
    for (const options of forms) {
      expectSame(await readBoth(ours, options, "dump", ""));
      expectSame(await readBoth(ours, options, "show", ""));
      for (const key of [...spec.keys, spec.missing]) {
        expectSame(await readBoth(ours, options, "lookup", `key ${key}`));
      }
    }
  });

  it("reads bpftool's map as bpftool reads it", async () => {
    for (const options of forms) {
      expectSame(await readBoth(theirs, options, "dump", ""));
      expectSame(await readBoth(theirs, options, "show", ""));
    }
    const [mine, oracle] = await readBoth(theirs, ["-jf"], "show", "");
    const pins = (ran: Ran) => new Set((JSON.parse(ran.stdout) as { pinned: string[] }).pinned);
    expect(pins(mine)).toEqual(pins(oracle));
  });

  it("takes the map by id, and words shortened, as bpftool does", async () => {
    const { id } = JSON.parse(mustBpftool("-j", "map", "show", "pinned", ours)) as { id: number };
    for (const options of forms) {
      for (const line of [
        `map dump id ${id}`,
        `m d i ${id}`,
        `map list id ${id}`,
        `map look id ${id} k ${spec.keys[0]}`,
        `map getn pin ${ours}`,
        `map show id ${id} --json`,
      ]) {
        const args = [...options, ...line.split(" ")];
        expectSame([await ctl(daemon, args), bpftool(...args)]);
      }
    }
  });

  it("walks the keys as bpftool does, to the end", async () => {
    let rest = "";
    for (let step = 0; step <= entries; step++) {
      const [mine, oracle] = await readBoth(ours, ["-j"], "getnext", rest);
      if (oracle.code !== 0) {
        expect(mine.code).toBe(2);
        expect(JSON.parse(mine.stdout)).toHaveProperty("error");
        return;
      }
      expect(mine.stdout).toBe(oracle.stdout);
      for (const options of [[], ["-p"]]) {
        expectSame(await readBoth(ours, options, "getnext", rest));
      }
      const { next_key } = JSON.parse(oracle.stdout) as { next_key: string[] };
      rest = `key ${next_key.join(" ")}`;
    }
    throw new Error("the walk did not end");
  });

  it("has the effect of bpftool's update flags", async () => {
    const known = spec.keys[0]!;
    for (const [key, flag] of [
      [known, "exist"],
      [known, "noexist"],
      [known, "any"],
      [spec.missing, "exist"],
    ]) {
      const [mine, oracle] = await both(["-j"], "update", `key ${key} value ${value(9)} ${flag}`);
      expect(mine.code === 0).toBe(oracle.code === 0);
      if (oracle.code === 0) expect(mine.stdout).toBe(oracle.stdout);
      else expect(JSON.parse(mine.stdout)).toHaveProperty("error");
    }
    expect(await mustCtl(daemon, `-j map dump pinned ${ours}`)).toBe(
      mustBpftool("-j", "map", "dump", "pinned", ours),
    );
  });

  it("deletes as bpftool does", async () => {
    for (const key of [spec.keys[1]!, spec.keys[1]!, spec.missing]) {
      const [mine, oracle] = await both(["-j"], "delete", `key ${key}`);
      expect(mine.code === 0).toBe(oracle.code === 0);
      if (oracle.code === 0) expect(mine.stdout).toBe(oracle.stdout);
      else expect(JSON.parse(mine.stdout)).toHaveProperty("error");
    }
    const elements = (pin: string) => sorted(mustBpftool("-j", "map", "dump", "pinned", pin));
    expect(elements(ours)).toEqual(elements(theirs));
  });

  it("pins and freezes as bpftool does", async () => {
    const args = (pin: string) => ["-j", "map", "pin", "pinned", pin, `${pin}_again`];
    expectSame([await ctl(daemon, args(ours)), bpftool(...args(theirs))]);
    expect(mustBpftool("-j", "map", "show", "pinned", `${ours}_again`)).toBe(
      mustBpftool("-j", "map", "show", "pinned", ours),
    );
    expectSame(await both(["-j"], "freeze", ""));
    for (const options of forms) expectSame(await readBoth(ours, options, "show", ""));
    const [mine, oracle] = await both(["-j"], "update", `key ${spec.keys[0]} value ${value(1)}`);
    expect(oracle.code).not.toBe(0);
    expect(mine.code).toBe(5);
    expect(JSON.parse(mine.stdout)).toHaveProperty("error");
  });
});

/** Elements without their order, which differs between two hash maps. */
function sorted(dump: string): string[] {
  return (JSON.parse(dump) as unknown[]).map((element) => JSON.stringify(element)).sort();
}

describe.each(["queue", "stack"])("%s", (type) => {
  const words = `type ${type} key 0 value 4 entries 2 name same`;
  let ours: string;
  let theirs: string;
  beforeAll(async () => {
    ours = `${daemon.bpffs}/${type}_ours`;
    theirs = `${daemon.bpffs}/${type}_theirs`;
    await mustCtl(daemon, `map create ${ours} ${words}`);
    mustBpftool("map", "create", theirs, ...words.split(" "));
  });

  it("does what bpftool does, step by step", async () => {
    const steps = [
      "peek",
      "pop",
      "push value 1 2 3 4",
      "peek",
      "lookup",
      "update value hex a b c d",
      "push value 9 9 9 9",
      "push value 9 9 9 9 exist",
      "enqueue value 7 7 7 7",
      "pop",
      "dequeue",
      "dequeue",
      "peek",
    ];
    for (const options of forms) {
      for (const step of steps) {
        const [verb, ...rest] = step.split(" ");
        const mine = await ctl(daemon, [...options, "map", verb!, "pinned", ours, ...rest]);
        const oracle = bpftool(...options, "map", verb!, "pinned", theirs, ...rest);
        expect([step, mine.code === 0]).toEqual([step, oracle.code === 0]);
        // Of failures, bpftool's text is the kernel's: only its shape is compared.
        if (oracle.stdout.includes("error")) {
          expect(JSON.parse(mine.stdout)).toHaveProperty("error");
        } else {
          expect([step, mine.stdout]).toEqual([step, oracle.stdout]);
        }
        expect([step, mine.stderr === ""]).toEqual([step, oracle.stderr === ""]);
      }
    }
  });

  it("is shown as bpftool shows it", async () => {
    for (const options of forms) {
      const args = [...options, "map", "show", "pinned", ours];
      expect((await ctl(daemon, args)).stdout).toBe(bpftool(...args).stdout);
    }
  });
});

describe("maps of one name", () => {
  const name = "twin_of_many";
  beforeAll(async () => {
    const pin = (number: number) => `${daemon.bpffs}/twin${number}`;
    await mustCtl(daemon, `map create ${pin(1)} type hash key 4 value 8 entries 4 name ${name}`);
    await mustCtl(
      daemon,
      `map create ${pin(2)} type percpu_hash key 1 value 30 entries 4 name ${name}`,
    );
    await mustCtl(daemon, `map create ${pin(3)} type hash key 1 value 1 entries 4 name ${name}`);
    await mustCtl(daemon, `map update pinned ${pin(1)} key 1 2 3 4 value 1 2 3 4 5 6 7 8`);
    const value = Array.from({ length: 30 }, (_, at) => at).join(" ");
    await mustCtl(daemon, `map update pinned ${pin(2)} key 1 value ${value}`);
  });

  it.each(["show", "dump"])("are all there in %s, as in bpftool", async (verb) => {
    for (const options of forms) {
      const args = [...options, "map", verb, "name", name];
      expect((await ctl(daemon, args)).stdout).toBe(bpftool(...args).stdout);
    }
  });

  it("are refused by verbs for one map, with their ids", async () => {
    const ran = await ctl(daemon, `map lookup name ${name} key 1`.split(" "));
    expect(ran.code).toBe(5);
    const ids = (
      JSON.parse(mustBpftool("-j", "map", "show", "name", name)) as { id: number }[]
    ).map(({ id }) => String(id));
    for (const id of ids) expect(ran.stderr).toContain(id);
  });
});

it("lists the maps of the host as bpftool does", async () => {
  // Other tests make and drop maps meanwhile: those that both lists have must be the same.
  const list = (text: string) =>
    new Map((JSON.parse(text) as { id: number }[]).map((map) => [map.id, map]));
  const oracle = list(mustBpftool("-j", "map", "show"));
  const mine = list(await mustCtl(daemon, "-j map show"));
  const again = list(mustBpftool("-j", "map", "show"));
  const steady = [...oracle.keys()].filter((id) => again.has(id));
  expect(steady.length).toBeGreaterThan(0);
  for (const id of steady) {
    const { holds: _, ...map } = mine.get(id) as { holds?: unknown };
    expect(map).toEqual(oracle.get(id));
  }
});

it("probes the map types that bpftool knows with bpftool's answers", async () => {
  const types = (text: string) =>
    (JSON.parse(text) as { map_types: Record<string, boolean> }).map_types;
  const oracle = types(mustBpftool("-j", "feature", "probe", "kernel"));
  expect(types(await mustCtl(daemon, "-j feature probe kernel"))).toMatchObject(oracle);
  const lines = mustBpftool("feature", "probe", "kernel")
    .split("\n")
    .filter((line) => line.includes("map_type"));
  const mine = (await mustCtl(daemon, "feature probe")).split("\n");
  for (const line of lines) expect(mine).toContain(line);
});
