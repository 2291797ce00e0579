/*
 * Parts that opcodes are put together from. Source: RFC 9669 and
 * include/uapi/linux/bpf.h, bpf_common.h.
 */

/** Instruction classes, the low three bits of an opcode. */
export const Class = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;

/** Where the second operand comes from. */
export const Source = { IMMEDIATE: 0x00, REGISTER: 0x08 } as const;

/** Arithmetic, without MOV's and the byte swap's peculiarities. */
export const Arithmetic = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
} as const;

export const NEGATE = 0x80;
export const SWAP = 0xd0;

/** Comparisons of conditional jumps; with `s` the operands are signed, `&` tests bits. */
export const Comparison = {
  "==": 0x10,
  ">": 0x20,
  ">=": 0x30,
  "&": 0x40,
  "!=": 0x50,
  "s>": 0x60,
  "s>=": 0x70,
  "<": 0xa0,
  "<=": 0xb0,
  "s<": 0xc0,
  "s<=": 0xd0,
} as const;

export const CALL = 0x80;
export const EXIT = 0x90;

/** Sizes of loads and stores. */
export const Size = { u8: 0x10, u16: 0x08, u32: 0x00, u64: 0x18 } as const;

/** Modes of loads and stores. */
export const Mode = { IMMEDIATE: 0x00, MEMORY: 0x60, SIGNED_MEMORY: 0x80, ATOMIC: 0xc0 } as const;

/** What an atomic instruction does; the `fetch` forms leave the old value in the register. */
export const Atomic = {
  add: 0x00,
  or: 0x40,
  and: 0x50,
  xor: 0xa0,
  fetch_add: 0x01,
  fetch_or: 0x41,
  fetch_and: 0x51,
  fetch_xor: 0xa1,
  exchange: 0xe1,
  /** Compares with R0 and leaves the old value there. */
  compare_exchange: 0xf1,
} as const;

/** What the source register's number means in LD_IMM64 and CALL. */
export const Pseudo = {
  NONE: 0,
  MAP_FD: 1,
  MAP_VALUE: 2,
  FUNCTION: 4,
  SUBPROGRAM: 1,
  KERNEL_FUNCTION: 2,
} as const;
