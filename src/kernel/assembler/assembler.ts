import { AssemblyError } from "./assembly-error.js";
import { helperId } from "./helper.js";
import { InstructionBuffer } from "./instruction-buffer.js";
import {
  Arithmetic,
  Atomic,
  CALL,
  Class,
  Comparison,
  EXIT,
  Mode,
  NEGATE,
  Pseudo,
  Size,
  Source,
  SWAP,
} from "./opcode.js";
import { FP, R0, Register } from "./register.js";

/** Size of what is stored; u64 stores of a number extend its sign from 32 bits. */
export type StoreSize = keyof typeof Size;

/** Size of what is loaded; the signed ones extend the sign and need Linux 6.6. */
export type LoadSize = StoreSize | "s8" | "s16" | "s32";

export type ArithmeticName = keyof typeof Arithmetic;
export type ComparisonName = keyof typeof Comparison;
export type AtomicName = keyof typeof Atomic;

/** A register, or a number that fits into 32 bits, sign included. */
export type Operand = Register | number;

/**
 * Writes BPF programs, instruction by instruction:
 *
 *     const program = new Assembler()
 *       .store("u32", FP, -4, 0)
 *       .loadMap(R1, mapFd)
 *       .mov(R2, FP).add(R2, -4)
 *       .call("map_lookup_elem")
 *       .jumpIf(R0, "==", 0, "missing")
 *       .mov(R1, 1)
 *       .atomic("add", "u64", R0, 0, R1)
 *       .label("missing")
 *       .return(0)
 *       .build();
 *
 * Every method throws AssemblyError for what cannot be encoded; whether the program is
 * a good one, the kernel's verifier says.
 */
export class Assembler {
  readonly #instructions = new InstructionBuffer();
  #freshLabels = 0;

  mov(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "mov", to, operand);
  }

  add(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "add", to, operand);
  }

  sub(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "sub", to, operand);
  }

  mul(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "mul", to, operand);
  }

  /** Unsigned; by 0 gives 0. */
  div(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "div", to, operand);
  }

  /** Unsigned; by 0 changes nothing. */
  mod(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "mod", to, operand);
  }

  or(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "or", to, operand);
  }

  and(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "and", to, operand);
  }

  xor(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "xor", to, operand);
  }

  lsh(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "lsh", to, operand);
  }

  rsh(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "rsh", to, operand);
  }

  /** Shifts right and keeps the sign. */
  arsh(to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU64, "arsh", to, operand);
  }

  neg(to: Register): this {
    return this.#write({ opcode: Class.ALU64 | NEGATE, to: writable(to) });
  }

  /** Arithmetic on the low 32 bits; the high ones become 0. */
  alu32(operation: ArithmeticName, to: Register, operand: Operand): this {
    return this.#arithmetic(Class.ALU, operation, to, operand);
  }

  /** Swaps the bytes where this machine is little-endian, and cuts to that many bits. */
  bigEndian(to: Register, bits: 16 | 32 | 64): this {
    const opcode = Class.ALU | SWAP | Source.REGISTER;
    return this.#write({ opcode, to: writable(to), immediate: bits });
  }

  /** Loads from memory; the bits above the size become 0, or the sign. */
  load(size: LoadSize, to: Register, base: Register, offset = 0): this {
    const [mode, unsigned] =
      size[0] === "s"
        ? [Mode.SIGNED_MEMORY, `u${size.slice(1)}` as StoreSize]
        : [Mode.MEMORY, size as StoreSize];
    return this.#write({
      opcode: Class.LDX | mode | Size[unsigned],
      ...{ to: writable(to), from: base, offset },
    });
  }

  /** Stores a register or a number. */
  store(size: StoreSize, base: Register, offset: number, operand: Operand): this {
    if (operand instanceof Register) {
      const opcode = Class.STX | Mode.MEMORY | Size[size];
      return this.#write({ opcode, to: base, from: operand, offset });
    }
    const opcode = Class.ST | Mode.MEMORY | Size[size];
    return this.#write({ opcode, to: base, offset, immediate: storable(size, operand) });
  }

  /** Changes memory as one step. All but add without fetch need Linux 5.12. */
  atomic(
    operation: AtomicName,
    size: "u32" | "u64",
    base: Register,
    offset: number,
    operand: Register,
  ): this {
    return this.#write({
      opcode: Class.STX | Mode.ATOMIC | Size[size],
      ...{ to: base, from: operand, offset, immediate: Atomic[operation] },
    });
  }

  /** Any 64 bits; negative numbers in two's complement. */
  loadImmediate64(to: Register, value: bigint): this {
    if (value < -(1n << 63n) || value >= 1n << 64n) {
      throw new AssemblyError(`${value} does not fit into 64 bits`);
    }
    const low = Number(BigInt.asIntN(32, value));
    const high = Number(BigInt.asIntN(32, value >> 32n));
    return this.#wide(to, Pseudo.NONE, low, high);
  }

  /** A pointer to a map, for helpers. The fd must be open when the program is loaded. */
  loadMap(to: Register, fd: number): this {
    return this.#wide(to, Pseudo.MAP_FD, fd, 0);
  }

  /** A pointer into the value of an array map's element 0. */
  loadMapValue(to: Register, fd: number, offset = 0): this {
    return this.#wide(to, Pseudo.MAP_VALUE, fd, signed32(offset));
  }

  /**
   * The function that starts at the label, for helpers that call back. Such a program
   * needs BTF: see `functions` of `ProgramLoad`.
   */
  loadFunction(to: Register, label: string): this {
    const opcode = Class.LD | Mode.IMMEDIATE | Size.u64;
    this.#write({ opcode, to: writable(to), source: Pseudo.FUNCTION, callee: label });
    return this.#write({ opcode: 0 });
  }

  /** Names this place for jumps and calls. */
  label(name: string): this {
    this.#instructions.place(name);
    return this;
  }

  /** A label that no other call gives, for parts that are written several times. */
  freshLabel(hint = "label"): string {
    return `${hint}#${this.#freshLabels++}`;
  }

  jump(label: string): this {
    return this.#write({ opcode: Class.JMP, jump: label });
  }

  /** Jumps where the comparison of all 64 bits holds. */
  jumpIf(left: Register, comparison: ComparisonName, right: Operand, label: string): this {
    return this.#compare(Class.JMP, left, comparison, right, label);
  }

  /** Jumps where the comparison of the low 32 bits holds. */
  jumpIf32(left: Register, comparison: ComparisonName, right: Operand, label: string): this {
    return this.#compare(Class.JMP32, left, comparison, right, label);
  }

  /** Calls a helper by its name without `bpf_`: arguments in R1 to R5, the result in R0. */
  call(helper: string): this {
    const id = helperId(helper);
    if (id === undefined) throw new AssemblyError(`there is no helper ${helper}`);
    return this.#write({ opcode: Class.JMP | CALL, immediate: id });
  }

  /** Calls a function of the kernel (a kfunc) by its id in the kernel's BTF. */
  callKernel(btfId: number): this {
    const opcode = Class.JMP | CALL;
    return this.#write({ opcode, source: Pseudo.KERNEL_FUNCTION, immediate: btfId });
  }

  /** Calls the part of this program that starts at the label. */
  callLabel(label: string): this {
    return this.#write({ opcode: Class.JMP | CALL, source: Pseudo.SUBPROGRAM, callee: label });
  }

  exit(): this {
    return this.#write({ opcode: Class.JMP | EXIT });
  }

  /** Ends with this result. */
  return(result: Operand): this {
    return this.mov(R0, result).exit();
  }

  /** Lets a function write the next instructions: for parts with parameters. */
  part(write: (assembler: this) => void): this {
    write(this);
    return this;
  }

  /** Instructions so far; loads of 64 bits count twice. */
  get length(): number {
    return this.#instructions.length;
  }

  /** Number of the instruction at a label. Throws AssemblyError where it is missing. */
  position(label: string): number {
    return this.#instructions.position(label);
  }

  /** The instructions, 8 bytes each. Throws AssemblyError where a label is missing. */
  build(): Uint8Array {
    return this.#instructions.build();
  }

  #arithmetic(cls: number, operation: ArithmeticName, to: Register, operand: Operand): this {
    const opcode = cls | Arithmetic[operation];
    if (operand instanceof Register) {
      return this.#write({ opcode: opcode | Source.REGISTER, to: writable(to), from: operand });
    }
    const immediate = cls === Class.ALU ? word32(operand) : signed32(operand);
    return this.#write({ opcode, to: writable(to), immediate });
  }

  #compare(
    cls: number,
    left: Register,
    comparison: ComparisonName,
    right: Operand,
    label: string,
  ): this {
    const opcode = cls | Comparison[comparison];
    if (right instanceof Register) {
      return this.#write({ opcode: opcode | Source.REGISTER, to: left, from: right, jump: label });
    }
    const immediate = cls === Class.JMP32 ? word32(right) : signed32(right);
    return this.#write({ opcode, to: left, immediate, jump: label });
  }

  #wide(to: Register, source: number, low: number, high: number): this {
    const opcode = Class.LD | Mode.IMMEDIATE | Size.u64;
    this.#write({ opcode, to: writable(to), source, immediate: low });
    return this.#write({ opcode: 0, immediate: high });
  }

  #write(instruction: Parameters<InstructionBuffer["write"]>[0]): this {
    this.#instructions.write(instruction);
    return this;
  }
}

function writable(register: Register): Register {
  if (register === FP) throw new AssemblyError("the frame pointer cannot be written");
  return register;
}

/** The kernel extends the sign of an immediate in 64-bit operations. */
function signed32(value: number): number {
  return inRange(value, -(2 ** 31), 2 ** 31 - 1);
}

function word32(value: number): number {
  return inRange(value, -(2 ** 31), 2 ** 32 - 1) | 0;
}

function storable(size: StoreSize, value: number): number {
  if (size === "u64") return signed32(value);
  const bits = Number(size.slice(1));
  return inRange(value, -(2 ** (bits - 1)), 2 ** bits - 1) | 0;
}

function inRange(value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new AssemblyError(`${value} is no whole number from ${least} to ${most}`);
}
