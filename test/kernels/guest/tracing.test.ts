import { expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  AttachType,
  type Btf,
  closeFd,
  ElementCalls,
  FP,
  kernelBtfId,
  LinkType,
  linkCreate,
  linkInfo,
  mapCreate,
  mapInfo,
  ProgramType,
  programInfo,
  programLoad,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R7,
  R8,
  RingBufferReader,
  rawTracepointOpen,
  readKernelBtf,
} from "#dist/kernel/index.js";

const FUNCTION = "htab_map_update_elem";
const btf = readKernelBtf() as Btf;

/** Offset of a member in a struct of the kernel. */
function offsetOf(struct: string, member: string): number {
  const type = btf.type(btf.findOne(struct, "struct"));
  const found = "members" in type && type.members.find(({ name }) => name === member);
  if (!found) throw new Error(`no ${struct}.${member}`);
  return found.bitOffset / 8;
}

function created(fd: number): number {
  onTestFinished(() => closeFd(fd));
  return fd;
}

/** Writes key, pid and result of every update of one map into a ring: 4, 4 and 8 bytes. */
function updateTracer(ring: number, mapId: number, attachType: number): number {
  const program = new Assembler()
    .mov(R6, R1)
    .load("u64", R7, R6, 0)
    .load("u32", R8, R7, offsetOf("bpf_map", "id"))
    .jumpIf32(R8, "!=", mapId, "end")
    .store("u64", FP, -8, 0);
  // fexit finds the result behind the four arguments.
  if (attachType === AttachType.TRACE_FEXIT)
    program.load("u64", R0, R6, 32).store("u64", FP, -8, R0);
  program
    .call("get_current_pid_tgid")
    .rsh(R0, 32)
    .store("u32", FP, -12, R0)
    .mov(R1, FP)
    .add(R1, -16)
    .mov(R2, 4)
    .load("u64", R3, R6, 8)
    .call("probe_read_kernel")
    .loadMap(R1, ring)
    .mov(R2, FP)
    .add(R2, -16)
    .mov(R3, 16)
    .mov(R4, 0)
    .call("ringbuf_output")
    .label("end")
    .return(0);
  return created(
    programLoad({
      type: ProgramType.TRACING,
      expectedAttachType: attachType,
      attachBtfId: btf.findOne(FUNCTION, "func"),
      instructions: program.build(),
      name: "update_tracer",
    }),
  );
}

it.each([
  ["fentry", AttachType.TRACE_FENTRY, 0],
  ["fexit", AttachType.TRACE_FEXIT, -17],
])("%s programs see updates of the map that they watch, and of no other", (_, attachType, last) => {
  const hash = { type: 1, keySize: 4, valueSize: 4, maxEntries: 10 };
  const [watched, other] = [created(mapCreate(hash)), created(mapCreate(hash))];
  const ring = created(mapCreate({ type: 27, keySize: 0, valueSize: 0, maxEntries: 1 << 16 }));
  const program = updateTracer(ring, mapInfo(watched).id, attachType);
  const reader = RingBufferReader.open(ring);
  onTestFinished(() => reader.close());
  const update = (map: number, key: number, flags = 0) => {
    const calls = new ElementCalls(map, 4, 4);
    calls.key.writeUInt32LE(key);
    const errno = calls.update(flags);
    calls.release();
    return errno;
  };

  const link = rawTracepointOpen({ programFd: program });
  expect(linkInfo(link)).toMatchObject({
    type: LinkType.TRACING,
    attachType,
    programId: programInfo(program).id,
    targetBtfObjectId: kernelBtfId("vmlinux"),
    targetBtfId: btf.findOne(FUNCTION, "func"),
  });
  update(other, 1);
  update(watched, 2);
  expect(update(watched, 2, 1)).toBe("EEXIST");
  closeFd(link);
  update(watched, 3);

  const events: [key: number, pid: number, result: number][] = [];
  reader.read((bytes, at) => {
    const [key, pid] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    // The function returned an int before it returned a long: the upper half may be anything.
    events.push([key, pid, bytes.readInt32LE(at + 8)]);
  });
  expect(events).toEqual([
    [2, process.pid, 0],
    [2, process.pid, last],
  ]);

  const again = linkCreate({ programFd: program, attachType });
  update(watched, 4);
  closeFd(again);
  expect(reader.read(() => {})).toBe(1);
  expect(programInfo(program)).toMatchObject({
    recursionMisses: 0n,
    attachBtfId: btf.findOne(FUNCTION, "func"),
    attachBtfObjectId: kernelBtfId("vmlinux"),
  });
});
