import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { possibleCpus } from "#dist/kernel/index.js";
import { CapabilityTable, type TypeCapabilities } from "#dist/maps/capability-table.js";
import { CreateFlag } from "#dist/maps/map-spec.js";
import { MapType } from "#dist/maps/map-type.js";
import { mountPrivateBpffs } from "../support/daemon.js";

type TypeName = keyof typeof MapType;

const table = CapabilityTable.probe();

function of(type: TypeName): TypeCapabilities {
  const found = table.of(MapType[type]);
  if (!found) throw new Error(`no capabilities of ${type}`);
  return found;
}

/** Letters of facts/kernel-maps.md. */
const LETTERS = {
  L: "lookup",
  U: "update",
  D: "delete",
  N: "next_key",
  X: "lookup_and_delete",
  BL: "lookup_batch",
  BU: "update_batch",
  BD: "delete_batch",
  BX: "lookup_and_delete_batch",
  F: "freeze",
} as const;

function spelled(letters: string): string[] {
  return letters
    .split(" ")
    .filter((letter) => letter !== "")
    .map((letter) => LETTERS[letter as keyof typeof LETTERS]);
}

/** Operations that a type has on every kernel that has the type, and those it never has. */
const SHARED: Partial<Record<TypeName, { always: string; never: string }>> = {
  HASH: { always: "L U D N", never: "" },
  ARRAY: { always: "L U N", never: "D X BD BX" },
  PROG_ARRAY: { always: "L U D N", never: "X BX" },
  PERF_EVENT_ARRAY: { always: "U D N", never: "L X BX" },
  PERCPU_HASH: { always: "L U D N", never: "" },
  PERCPU_ARRAY: { always: "L U N", never: "D X BD BX" },
  STACK_TRACE: { always: "L D N", never: "U BU" },
  CGROUP_ARRAY: { always: "U D N", never: "L X BX" },
  LRU_HASH: { always: "L U D N", never: "" },
  LRU_PERCPU_HASH: { always: "L U D N", never: "" },
  LPM_TRIE: { always: "L U D N", never: "X BX" },
  ARRAY_OF_MAPS: { always: "L U D N", never: "X BX" },
  HASH_OF_MAPS: { always: "L U D N", never: "X" },
  DEVMAP: { always: "L U D N", never: "X BX" },
  SOCKMAP: { always: "U D N", never: "X BX" },
  CPUMAP: { always: "L U D N", never: "X BX" },
  XSKMAP: { always: "U D N", never: "L X BX" },
  SOCKHASH: { always: "U D N", never: "X BX" },
  CGROUP_STORAGE: { always: "L U N", never: "D X" },
  REUSEPORT_SOCKARRAY: { always: "L U D N", never: "X BX" },
  PERCPU_CGROUP_STORAGE: { always: "L U N", never: "D X" },
  QUEUE: { always: "L U X", never: "D N BL BU BD BX" },
  STACK: { always: "L U X", never: "D N BL BU BD BX" },
  SK_STORAGE: { always: "L U D", never: "N X BL BX" },
  DEVMAP_HASH: { always: "L U D N", never: "X BX" },
  STRUCT_OPS: { always: "L U D N", never: "X F BL BU BD BX" },
  RINGBUF: { always: "", never: "L U D N X BL BU BD BX" },
  INODE_STORAGE: { always: "L U D", never: "N X BL BX" },
  TASK_STORAGE: { always: "L U D", never: "N X BL BX" },
  BLOOM_FILTER: { always: "L U", never: "D N X BL BU BD BX" },
  USER_RINGBUF: { always: "", never: "L U D N X BL BU BD BX" },
  CGRP_STORAGE: { always: "L U D", never: "N X BL BX" },
  ARENA: { always: "", never: "L U D N X BL BU BD BX" },
  INSN_ARRAY: { always: "L U N", never: "D X" },
  RHASH: { always: "L U D N X", never: "" },
};

describe("the types that bpftool knows", () => {
  const { map_types: known } = JSON.parse(
    execFileSync("bpftool", ["-j", "feature", "probe", "kernel"], { encoding: "utf8" }),
  ) as { map_types: Record<string, boolean> };

  it("are answered as bpftool answers them", () => {
    const names = new Map(table.all().map((type) => [`have_${type.name}_map_type`, type]));
    const answers = Object.keys(known).map((name) => [
      name,
      names.get(name)?.availability === "available",
    ]);
    expect(Object.fromEntries(answers)).toEqual(known);
  });

  it("are all there are, but for those that are newer than bpftool", () => {
    expect(Object.keys(known).length).toBeGreaterThan(30);
    expect(table.all().map(({ type }) => type)).toEqual(Object.values(MapType));
  });
});

describe("operations", () => {
  it.each(Object.entries(SHARED))(
    "of %s include and leave out what all kernels do",
    (name, row) => {
      const { availability, operations } = of(name as TypeName);
      if (availability !== "available") {
        expect(operations).toEqual([]);
        return;
      }
      expect(operations).toEqual(expect.arrayContaining(spelled(row.always)));
      expect(operations.filter((operation) => spelled(row.never).includes(operation))).toEqual([]);
    },
  );

  it("come in the order of the contract", () => {
    const order = Object.values(LETTERS);
    for (const { operations } of table.all()) {
      expect(operations).toEqual(order.filter((operation) => operations.includes(operation)));
    }
  });

  it("are not supported for a type that nobody knows", () => {
    expect(table.of(4711)).toBeUndefined();
    expect(table.supports(4711, "lookup")).toBe(false);
  });
});

describe("create flags", () => {
  it("of plain types are those with which bpftool can create a map", () => {
    const bpffs = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
    mountPrivateBpffs(bpffs);
    onTestFinished(() => {
      spawnSync("umount", ["-l", bpffs]);
      rmSync(bpffs, { recursive: true, force: true });
    });
    const notTried = CreateFlag.PATH_FD | CreateFlag.TOKEN_FD | CreateFlag.VTYPE_BTF_OBJ_FD;
    for (const type of [
      "HASH",
      "ARRAY",
      "LPM_TRIE",
      "LRU_HASH",
      "QUEUE",
      "PERCPU_ARRAY",
    ] as const) {
      const { name, createFlags, requiredCreateFlags, minKeySize } = of(type);
      const accepted = Object.values(CreateFlag)
        .filter((flag) => !(flag & notTried))
        .filter((flag) => {
          const pin = join(bpffs, `${name}_${flag}`);
          const sizes = ["key", minKeySize, "value", 8, "entries", 1].map(String);
          const flags = String(flag | requiredCreateFlags);
          const what = ["type", name, ...sizes, "name", "flags", "flags", flags];
          return spawnSync("bpftool", ["map", "create", pin, ...what]).status === 0;
        });
      expect([name, createFlags]).toEqual([name, accepted.reduce((all, flag) => all | flag, 0)]);
    }
  });

  it("include those that a type needs", () => {
    for (const { availability, createFlags, requiredCreateFlags } of table.all()) {
      if (availability === "available") {
        expect(createFlags & requiredCreateFlags).toBe(requiredCreateFlags);
      }
    }
    expect(of("LPM_TRIE").requiredCreateFlags).toBe(CreateFlag.NO_PREALLOC);
    expect(of("ARENA").requiredCreateFlags).toBe(CreateFlag.MMAPABLE);
  });
});

describe("limits", () => {
  it("of hashes and queues are those of the kernel's allocator, of per-CPU values smaller", () => {
    for (const type of ["HASH", "LRU_HASH", "QUEUE", "STACK", "LPM_TRIE"] as const) {
      expect(of(type).maxValueSize).toBeGreaterThan(1 << 20);
    }
    for (const type of ["PERCPU_HASH", "PERCPU_ARRAY", "LRU_PERCPU_HASH"] as const) {
      expect(of(type).maxValueSize).toBeGreaterThanOrEqual(32 << 10);
      expect(of(type).maxValueSize).toBeLessThan(1 << 20);
    }
  });

  it("let a CPU map have an entry for each CPU", () => {
    expect(of("CPUMAP").maxMaxEntries).toBeGreaterThanOrEqual(possibleCpus().length);
  });
});

describe("the probe", () => {
  it("leaves no file descriptor, so no map and no BTF", () => {
    CapabilityTable.probe();
    const before = kernelObjects();
    for (let round = 0; round < 3; round++) CapabilityTable.probe();
    expect(kernelObjects()).toEqual(before);
  });

  it("finds the same each time", () => {
    expect(CapabilityTable.probe().all()).toEqual(table.all());
  });

  it("tells single-CPU writes of per-CPU types alone", () => {
    const perCpu = table.all().filter(({ singleCpuWrite }) => singleCpuWrite !== undefined);
    expect(perCpu.map(({ name }) => name)).toEqual([
      "percpu_hash",
      "percpu_array",
      "lru_percpu_hash",
      "percpu_cgroup_storage",
    ]);
  });

  it("is plain data, so that a thread can have it", () => {
    const posted = new CapabilityTable(structuredClone(table.all()));
    expect(posted.all()).toEqual(table.all());
    expect(posted.supports(MapType.HASH, "update")).toBe(true);
  });
});

describe("without a capability", () => {
  it("CAP_NET_ADMIN, types of the network are denied and the others available", () => {
    const types = probeUnder("--bounding-set", "-net_admin,-sys_admin");
    const denied = types.filter(({ availability }) => availability === "denied");
    expect(denied.map(({ name }) => name)).toEqual([
      "devmap",
      "sockmap",
      "xskmap",
      "sockhash",
      "devmap_hash",
    ]);
    for (const type of types.filter((type) => !denied.includes(type))) {
      expect(type.availability).toBe(table.of(type.type)?.availability);
    }
  });

  it("CAP_SYS_ADMIN, no hash has a seed of zero", () => {
    const [hash] = probeUnder("--bounding-set", "-sys_admin");
    expect(hash?.createFlags).toBe(of("HASH").createFlags & ~CreateFlag.ZERO_SEED);
  });

  it("at all, types are denied rather than unavailable", () => {
    for (const type of probeUnder("--bounding-set", "-all")) {
      if (table.of(type.type)?.availability !== "available") continue;
      expect([type.name, type.availability]).not.toContain("unavailable");
      if (type.availability === "denied") expect(type.operations).toEqual([]);
    }
  });
});

function kernelObjects(): string[] {
  return readdirSync("/proc/self/fd")
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // The descriptor of the directory that was read here.
        return "";
      }
    })
    .filter((target) => target.startsWith("anon_inode:"))
    .sort();
}

/** The table that a process with fewer capabilities finds. */
function probeUnder(...setpriv: string[]): TypeCapabilities[] {
  const url = pathToFileURL(
    resolve(import.meta.dirname, "../../dist/maps/capability-table.js"),
  ).href;
  const script = `
    const { CapabilityTable } = await import(${JSON.stringify(url)});
    process.stdout.write(JSON.stringify(CapabilityTable.probe().all()));`;
  const node = [process.execPath, "--input-type=module", "--eval", script];
  return JSON.parse(execFileSync("setpriv", [...setpriv, ...node], { encoding: "utf8" }));
}
