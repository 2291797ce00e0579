import {
  Assembler,
  FP,
  ProgramType,
  programLoad,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
} from "#dist/kernel/index.js";

/** The kernel takes an Ethernet header off the packet before a socket filter sees it. */
const HEADER = 14;

/** Puts an element by a BPF program, which runs in this process: true if it was put. */
export type PutByProgram = (key: Uint8Array, value: Uint8Array) => boolean;

/** Loads a socket filter that puts the element in its packet, which lives as long as this process. */
export function updateProgram(mapFd: number, keySize: number, valueSize: number): PutByProgram {
  const [value, key] = [-roomFor(valueSize), -roomFor(valueSize) - roomFor(keySize)];
  const instructions = new Assembler()
    .mov(R6, R1)
    .part((program) => readPacket(program, 0, key, keySize))
    .part((program) => readPacket(program, keySize, value, valueSize))
    .loadMap(R1, mapFd)
    .mov(R2, FP)
    .add(R2, key)
    .mov(R3, FP)
    .add(R3, value)
    .mov(R4, 0)
    .call("map_update_elem")
    .jumpIf(R0, "!=", 0, "refused")
    .return(1)
    .label("refused")
    .return(0)
    .build();
  const programFd = programLoad({
    type: ProgramType.SOCKET_FILTER,
    name: "bench_put",
    instructions,
  });
  const data = Buffer.alloc(HEADER + keySize + valueSize);
  return (putKey, putValue) => {
    data.set(putKey, HEADER);
    data.set(putValue, HEADER + keySize);
    return programTestRun(programFd, { data }).returnValue === 1;
  };
}

/** Reads bytes of the packet onto the stack; R6 is the packet. */
function readPacket(program: Assembler, from: number, to: number, size: number): void {
  program
    .mov(R1, R6)
    .mov(R2, from)
    .mov(R3, FP)
    .add(R3, to)
    .mov(R4, size)
    .call("skb_load_bytes")
    .jumpIf(R0, "!=", 0, "refused");
}

/** The stack is written by eights. */
function roomFor(size: number): number {
  return (size + 7) & ~7;
}
