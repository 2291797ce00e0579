import { execFileSync } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  AttachType,
  closeFd,
  ElementCalls,
  enableRunStatistics,
  FP,
  KernelError,
  LinkType,
  linkDetach,
  linkGetFdById,
  linkInfo,
  linkNextId,
  mapInfo,
  ProgramFlag,
  ProgramLoadError,
  ProgramType,
  possibleCpus,
  programGetFdById,
  programInfo,
  programLoad,
  programNextId,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R6,
  R7,
  R8,
  rawTracepointOpen,
  readKernelBtf,
} from "#dist/kernel/index.js";
import { PACKET, returned, testMap, testProgram } from "./support/programs.js";

const ARRAY = { type: 2, keySize: 4, valueSize: 8 };
const PERCPU_ARRAY = 6;

/** Adds 1 to element 0 of an array map. */
function counting(mapFd: number): Assembler {
  return new Assembler()
    .store("u32", FP, -4, 0)
    .loadMap(R1, mapFd)
    .mov(R2, FP)
    .add(R2, -4)
    .call("map_lookup_elem")
    .jumpIf(R0, "==", 0, "missing")
    .mov(R1, 1)
    .atomic("add", "u64", R0, 0, R1)
    .label("missing")
    .return(0);
}

function counter(mapFd: number): bigint {
  const calls = new ElementCalls(mapFd, 4, 8);
  try {
    calls.key.writeUInt32LE(0);
    expect(calls.lookup()).toBeUndefined();
    return calls.value.readBigUInt64LE();
  } finally {
    calls.release();
  }
}

describe("loading a program", () => {
  it("tells of it what bpftool tells", () => {
    const map = testMap({ ...ARRAY, maxEntries: 1, name: "counts" });
    const fd = testProgram(counting(map), { name: "counting" });
    const info = programInfo(fd);
    expect(info).toMatchObject({
      type: ProgramType.SOCKET_FILTER,
      name: "counting",
      mapIds: [mapInfo(map).id],
      gplCompatible: true,
      createdByUid: 0,
    });
    const output = execFileSync("bpftool", ["-j", "prog", "show", "id", String(info.id)]);
    expect(JSON.parse(output.toString())).toMatchObject({
      id: info.id,
      type: "socket_filter",
      name: info.name,
      tag: info.tag,
      map_ids: info.mapIds,
      bytes_xlated: info.translatedLength,
      bytes_jited: info.jitedLength,
    });
  });

  it("lists it by id and opens it by id", () => {
    const fd = testProgram(new Assembler().return(3));
    const { id } = programInfo(fd);
    const ids: number[] = [];
    for (let at = programNextId(0); at !== undefined; at = programNextId(at)) ids.push(at);
    expect(ids).toContain(id);
    const other = programGetFdById(id);
    onTestFinished(() => closeFd(other));
    expect(programInfo(other)).toEqual(programInfo(fd));
    expect(() => programGetFdById(0x7fffffff)).toThrow("BPF_PROG_GET_FD_BY_ID: ENOENT");
  });

  it("names all of many maps", () => {
    const maps = Array.from({ length: 64 }, () => testMap({ ...ARRAY, maxEntries: 1 }));
    const program = new Assembler();
    for (const map of maps) program.loadMap(R1, map);
    const info = programInfo(testProgram(program.return(0)));
    expect(info.mapIds).toEqual(maps.map((map) => mapInfo(map).id));
  });

  it("throws the verifier's whole log where it refuses", () => {
    const program = new Assembler().mov(R0, 0);
    for (let i = 0; i < 3000; i++) program.add(R0, 1);
    program.load("u64", R0, R0).exit();
    const load = { type: ProgramType.SOCKET_FILTER, instructions: program.build() };
    const error = caught(() => programLoad(load)) as ProgramLoadError;
    expect(error).toBeInstanceOf(ProgramLoadError);
    expect(error).toBeInstanceOf(KernelError);
    expect(error.errno).toBe("EACCES");
    expect(error.log).toContain("0: (b7) r0 = 0");
    expect(error.log).toContain("R0 invalid mem access 'scalar'");
    expect(error.log.length).toBeGreaterThan(1 << 16);
    expect(error.message).toContain("R0 invalid mem access 'scalar'");
    expect(error.message.length).toBeLessThan(1000);
  });

  it("throws without a log what the verifier never saw", () => {
    const load = { type: 9999, instructions: new Assembler().return(0).build() };
    const error = caught(() => programLoad(load)) as ProgramLoadError;
    expect(error.message).toBe("BPF_PROG_LOAD: EINVAL");
    expect(error.log).toBe("");
  });

  it("refuses names and instructions that the kernel could not take", () => {
    const load = { type: 1, instructions: new Assembler().return(0).build() };
    expect(() => programLoad({ ...load, name: "a_name_too_long_" })).toThrow("at most 15 bytes");
    expect(() => programLoad({ ...load, instructions: new Uint8Array(7) })).toThrow("no whole");
  });
});

describe("running a program on given data", () => {
  it("updates maps as often as it is told to run", () => {
    const map = testMap({ ...ARRAY, maxEntries: 1 });
    const fd = testProgram(counting(map));
    programTestRun(fd, { data: PACKET, repeat: 1000 });
    expect(counter(map)).toBe(1000n);
  });

  it("shows an XDP program the packet and gives it back changed", () => {
    const program = new Assembler()
      .load("u32", R2, R1, 0)
      .load("u32", R3, R1, 4)
      .mov(R0, R2)
      .add(R0, 14)
      .jumpIf(R0, ">", R3, "short")
      .load("u8", R0, R2, 13)
      .store("u8", R2, 13, 0xaa)
      .exit()
      .label("short")
      .return(0);
    const fd = testProgram(program, { type: ProgramType.XDP });
    const data = Uint8Array.from({ length: 60 }, (_, index) => index);
    const result = programTestRun(fd, { data });
    expect(result.returnValue).toBe(13);
    const changed = Uint8Array.from(data);
    changed[13] = 0xaa;
    expect(Buffer.from(result.data)).toEqual(Buffer.from(changed));
  });

  it("gives a syscall program its context and takes it back", () => {
    const program = new Assembler()
      .load("u64", R2, R1, 0)
      .add(R2, 1)
      .store("u64", R1, 8, R2)
      .return(7);
    const fd = testProgram(program, { type: ProgramType.SYSCALL, flags: ProgramFlag.SLEEPABLE });
    const context = Buffer.alloc(16);
    context.writeBigUInt64LE(41n);
    const result = programTestRun(fd, { context });
    expect(result.returnValue).toBe(7);
    expect(Buffer.from(result.context).readBigUInt64LE(8)).toBe(42n);
  });

  it("passes on why the kernel does not run it", () => {
    const fd = testProgram(new Assembler().return(0));
    expect(() => programTestRun(fd, { data: new Uint8Array(3) })).toThrow(
      "BPF_PROG_TEST_RUN: EINVAL",
    );
  });

  it("jumps into the program that a program array holds", () => {
    const array = testMap({ type: 3, keySize: 4, valueSize: 4, maxEntries: 2 });
    const program = new Assembler().loadMap(R2, array).mov(R3, 1).call("tail_call").return(1);
    const fd = testProgram(program);
    expect(returned(fd)).toBe(1);
    const calls = new ElementCalls(array, 4, 4);
    onTestFinished(() => calls.release());
    calls.key.writeUInt32LE(1);
    calls.value.writeUInt32LE(testProgram(new Assembler().return(2)));
    expect(calls.update()).toBeUndefined();
    expect(returned(fd)).toBe(2);
  });

  it("counts runs while somebody wants to know", () => {
    const fd = testProgram(new Assembler().return(0));
    const statistics = enableRunStatistics();
    programTestRun(fd, { data: PACKET, repeat: 10 });
    closeFd(statistics);
    expect(programInfo(fd)).toMatchObject({ runCount: 10n, recursionMisses: 0n });
  });
});

describe("tracing", () => {
  /** Counts the calls of one system call by this process, in a per-CPU array. */
  function countingSyscall(mapFd: number, number: number): Assembler {
    return new Assembler()
      .mov(R6, R1)
      .call("get_current_pid_tgid")
      .rsh(R0, 32)
      .jumpIf32(R0, "!=", process.pid, "end")
      .load("u64", R7, R6, 8)
      .jumpIf(R7, "!=", number, "end")
      .store("u32", FP, -4, 0)
      .loadMap(R1, mapFd)
      .mov(R2, FP)
      .add(R2, -4)
      .call("map_lookup_elem")
      .jumpIf(R0, "==", 0, "end")
      .load("u64", R8, R0, 0)
      .add(R8, 1)
      .store("u64", R0, 0, R8)
      .label("end")
      .return(0);
  }

  const GETPRIORITY = process.arch === "arm64" ? 141 : 140;

  function perCpuSum(mapFd: number): bigint {
    const possible = possibleCpus().length;
    const calls = new ElementCalls(mapFd, 4, 8 * possible);
    onTestFinished(() => calls.release());
    calls.key.writeUInt32LE(0);
    expect(calls.lookup()).toBeUndefined();
    let sum = 0n;
    for (let cpu = 0; cpu < possible; cpu++) sum += calls.value.readBigUInt64LE(8 * cpu);
    return sum;
  }

  it("by raw tracepoint sees this process's system calls until it is closed", async () => {
    const { getPriority } = await import("node:os");
    const map = testMap({ type: PERCPU_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    const program = testProgram(countingSyscall(map, GETPRIORITY), {
      type: ProgramType.RAW_TRACEPOINT,
    });
    const link = rawTracepointOpen({ programFd: program, name: "sys_enter" });
    for (let i = 0; i < 5; i++) getPriority();
    expect(perCpuSum(map)).toBe(5n);
    const info = linkInfo(link);
    expect(info).toMatchObject({ type: LinkType.RAW_TRACEPOINT, tracepoint: "sys_enter" });
    expect(info.programId).toBe(programInfo(program).id);
    closeFd(link);
    getPriority();
    expect(perCpuSum(map)).toBe(5n);
  });

  it("by BTF tracepoint sees the same", async () => {
    const { getPriority } = await import("node:os");
    const btf = readKernelBtf();
    const attachBtfId = btf?.findOne("btf_trace_sys_enter", "typedef") as number;
    const map = testMap({ type: PERCPU_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    const program = testProgram(countingSyscall(map, GETPRIORITY), {
      type: ProgramType.TRACING,
      expectedAttachType: AttachType.TRACE_RAW_TP,
      attachBtfId,
    });
    expect(programInfo(program).attachBtfId).toBe(attachBtfId);
    const link = rawTracepointOpen({ programFd: program });
    onTestFinished(() => closeFd(link));
    getPriority();
    expect(perCpuSum(map)).toBe(1n);

    const { id, ...info } = linkInfo(link);
    expect(info).toMatchObject({ type: LinkType.RAW_TRACEPOINT, tracepoint: "sys_enter" });
    const ids: number[] = [];
    for (let at = linkNextId(0); at !== undefined; at = linkNextId(at)) ids.push(at);
    expect(ids).toContain(id);
    const other = linkGetFdById(id);
    onTestFinished(() => closeFd(other));
    expect(linkInfo(other)).toMatchObject(info);
    // Such a link ends with its last fd and not otherwise.
    expect(() => linkDetach(other)).toThrow("BPF_LINK_DETACH: EOPNOTSUPP");
  });

  it("says which tracepoint there is none of", () => {
    const program = testProgram(new Assembler().return(0), { type: ProgramType.RAW_TRACEPOINT });
    expect(() => rawTracepointOpen({ programFd: program, name: "no_such_point" })).toThrow(
      "BPF_RAW_TRACEPOINT_OPEN: ENOENT",
    );
  });
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
