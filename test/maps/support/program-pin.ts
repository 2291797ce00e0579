import { withArena } from "#dist/kernel/arena.js";
import { closeFd, objPin } from "#dist/kernel/index.js";
import { bpf } from "#dist/kernel/libc.js";

const BPF_PROG_LOAD = 5;
const SOCKET_FILTER = 1;
/** r0 = 0; exit */
const PROGRAM = Buffer.from("b700000000000000" + "9500000000000000", "hex");
const LICENSE = Buffer.from("GPL\0");

/** Pins the smallest program there is: something that is no map. */
export function pinProgram(path: string): void {
  const fd = withArena(256, (arena) => {
    const [program, license] = [128, 192];
    PROGRAM.copy(arena.bytes, program);
    LICENSE.copy(arena.bytes, license);
    arena.setU32(0, SOCKET_FILTER);
    arena.setU32(4, PROGRAM.length / 8);
    arena.setU64(8, arena.at(program));
    arena.setU64(16, arena.at(license));
    return bpf(BPF_PROG_LOAD, arena.address, 72);
  });
  if (fd < 0) throw new Error(`cannot load a program: errno ${-fd}`);
  try {
    objPin(path, fd);
  } finally {
    closeFd(fd);
  }
}
