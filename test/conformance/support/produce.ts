import {
  Assembler,
  closeFd,
  FP,
  mapGetFdById,
  ProgramType,
  programLoad,
  programTestRun,
  R1,
  R2,
  R3,
  R4,
} from "#dist/kernel/index.js";

/** The smallest packet that the kernel lets a program be tried on. */
const PACKET = new Uint8Array(14);

/** Lets a program write records, of up to 256 bytes each, into a ring buffer. */
export function produceRecords(mapId: number, records: readonly Buffer[]): void {
  const ring = mapGetFdById(mapId);
  try {
    const program = new Assembler();
    for (const record of records) {
      const padded = Math.max(8, (record.length + 7) & ~7);
      const bytes = Buffer.alloc(padded);
      record.copy(bytes);
      for (let at = 0; at < padded; at += 4) {
        program.store("u32", FP, at - padded, bytes.readInt32LE(at));
      }
      program
        .loadMap(R1, ring)
        .mov(R2, FP)
        .add(R2, -padded)
        .mov(R3, record.length)
        .mov(R4, 0)
        .call("ringbuf_output");
    }
    const instructions = program.return(0).build();
    const fd = programLoad({ type: ProgramType.SOCKET_FILTER, instructions });
    try {
      programTestRun(fd, { data: PACKET });
    } finally {
      closeFd(fd);
    }
  } finally {
    closeFd(ring);
  }
}
