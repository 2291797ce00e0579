import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  Assembler,
  type Btf,
  closeFd,
  ElementCalls,
  mapGetFdById,
  ProgramType,
  programTestRun,
  R2,
  R3,
  readKernelBtf,
} from "#dist/kernel/index.js";
import { dumpByBpftool } from "../service/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  dumpObjects,
  makeObjectMap,
  type ObjectMap,
  readObjects,
  u32Keys,
} from "./support/maps.js";
import { loadProgram } from "./support/objects.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

describe("STACK_TRACE", () => {
  const USER_STACK = 1 << 8;

  /** Stores the stack that a program runs on; answers its id. */
  function store(map: ObjectMap, flags: number): number {
    const fd = mapGetFdById(map.id);
    const program = loadProgram(
      { type: ProgramType.RAW_TRACEPOINT },
      new Assembler().loadMap(R2, fd).mov(R3, flags).call("get_stackid").exit(),
    );
    closeFd(fd);
    return programTestRun(program.fd, {}).returnValue;
  }

  it("is read and listed as frames with the kernel's symbols, and emptied", async () => {
    const map = await makeObjectMap(daemon, {
      ...{ type: MapType.STACK_TRACE, valueSize: 8 * 32, maxEntries: 16 },
    });
    const id = store(map, 0);
    expect(id | 0).toBeGreaterThanOrEqual(0);
    const { objectValues, values } = await readObjects(daemon, map, id);
    const trace = objectValues[0]?.object;
    if (trace?.case !== "stackTrace") throw new Error("no stack trace");
    const { frames } = trace.value;
    expect(frames.length).toBeGreaterThan(1);
    const first = Buffer.from(values).readBigUInt64LE();
    expect(frames[0]?.location).toEqual({ case: "address", value: first });
    expect(frames.map(({ symbol }) => symbol)).toContainEqual(
      expect.stringMatching(/bpf_prog_test_run_raw_tp|__sys_bpf|__bpf_prog_test_run_raw_tp/),
    );
    expect((await dumpObjects(map)).objectValues).toMatchObject([{ object: trace }]);
    expect(dumpByBpftool(map.id)).toEqual([
      [u32Keys(id).toString("hex"), Buffer.from(values).toString("hex")],
    ]);
    expect(await map.handle.clear()).toMatchObject({ removed: 1n });
    expect((await dumpObjects(map)).count).toBe(0);
  });

  it("has build ids and offsets where it was made so", async () => {
    const map = await makeObjectMap(daemon, {
      ...{ type: MapType.STACK_TRACE, valueSize: 32 * 16, maxEntries: 16 },
      flags: CreateFlag.STACK_BUILD_ID,
    });
    const id = store(map, USER_STACK);
    expect(id | 0).toBeGreaterThanOrEqual(0);
    const { objectValues } = await readObjects(daemon, map, id);
    const trace = objectValues[0]?.object;
    if (trace?.case !== "stackTrace") throw new Error("no stack trace");
    expect(trace.value.frames.length).toBeGreaterThan(0);
    for (const { location } of trace.value.frames) {
      if (location.case === "buildId") expect(location.value.buildId).toHaveLength(20);
      else expect(location.case).toBe("address");
    }
  });

  it("cannot be written", async () => {
    const map = await makeObjectMap(daemon, {
      ...{ type: MapType.STACK_TRACE, valueSize: 64, maxEntries: 4 },
    });
    await expect(map.handle.update(u32Keys(0), Buffer.alloc(64))).rejects.toMatchObject({
      reason: "OPERATION_NOT_SUPPORTED",
    });
  });
});

describe("STRUCT_OPS", () => {
  const VALUE = "bpf_struct_ops_tcp_congestion_ops";

  /** Where a member of a struct lies, in bytes, and its number. */
  function member(btf: Btf, struct: number, name: string) {
    const type = btf.type(struct);
    if (type.kind !== "struct") throw new Error(`${name}: no struct`);
    const number = type.members.findIndex((candidate) => candidate.name === name);
    return { number, at: type.members[number]!.bitOffset / 8, type: type.members[number]!.type };
  }

  it("is made of a kernel's type, told, read and listed with the ids of its programs", async () => {
    const btf = readKernelBtf() as Btf;
    const valueType = btf.findOne(VALUE, "struct");
    const { size } = btf.type(valueType) as { size: number };
    const map = await makeObjectMap(daemon, {
      ...{ type: MapType.STRUCT_OPS, valueSize: size, maxEntries: 1 },
      btfVmlinuxValueTypeId: valueType,
    });
    expect(map.info).toMatchObject({ btfVmlinuxValueTypeId: valueType, maxEntries: 1 });

    const data = member(btf, valueType, "data");
    const value = Buffer.alloc(size);
    const ops = ["ssthresh", "undo_cwnd", "cong_avoid"].map((name) => {
      const { number, at } = member(btf, data.type, name);
      const program = loadProgram(
        {
          type: ProgramType.STRUCT_OPS,
          attachBtfId: data.type,
          expectedAttachType: number,
          license: "GPL",
        },
        new Assembler().return(0),
      );
      value.writeUInt32LE(program.fd, data.at + at);
      return { at: data.at + at, id: program.id };
    });
    value.write(`t${process.pid}`, data.at + member(btf, data.type, "name").at);
    register(map, value);

    const read = Buffer.from((await map.handle.lookup(u32Keys(0))) as Uint8Array);
    for (const { at, id } of ops) expect(read.readUInt32LE(at)).toBe(id);
    const dumped = await dumpObjects(map);
    expect(dumped).toMatchObject({ count: 1, objectValues: [] });
    expect(Buffer.compare(dumped.values as Buffer, read)).toBe(0);
    await expect(map.handle.update(u32Keys(0), value)).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "elements.values" }],
    });
    expect(await map.handle.delete(u32Keys(0))).toBe(true);
  });

  /** Registers the operations, as their loader would. */
  function register(map: ObjectMap, value: Buffer): void {
    const fd = mapGetFdById(map.id);
    const calls = new ElementCalls(fd, 4, value.length);
    calls.key.fill(0);
    calls.value.set(value);
    const errno = calls.update();
    calls.release();
    closeFd(fd);
    expect(errno).toBeUndefined();
  }
});
