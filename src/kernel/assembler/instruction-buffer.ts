import { AssemblyError } from "./assembly-error.js";
import type { Register } from "./register.js";

const INSTRUCTION_SIZE = 8;
const LEAST_OFFSET = -(2 ** 15);
const MOST_OFFSET = 2 ** 15 - 1;

/** One instruction of 8 bytes: opcode, registers, offset, immediate. */
export interface Instruction {
  readonly opcode: number;
  readonly to?: Register;
  readonly from?: Register;
  /** In place of a register: what the number means is the opcode's. */
  readonly source?: number;
  /** -32768 to 32767. */
  readonly offset?: number;
  /** 32 bits, signed. */
  readonly immediate?: number;
  /** Label whose distance goes into the offset. */
  readonly jump?: string;
  /** Label whose distance goes into the immediate. */
  readonly callee?: string;
}

/** Instructions in order, and the labels between them. */
export class InstructionBuffer {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();

  get length(): number {
    return this.#instructions.length;
  }

  write(instruction: Instruction): void {
    const { offset = 0 } = instruction;
    if (!Number.isInteger(offset) || offset < LEAST_OFFSET || offset > MOST_OFFSET) {
      throw new AssemblyError(`offset ${offset} is out of range (${LEAST_OFFSET}..${MOST_OFFSET})`);
    }
    this.#instructions.push(instruction);
  }

  place(label: string): void {
    if (this.#labels.has(label)) throw new AssemblyError(`label ${label} stands at two places`);
    this.#labels.set(label, this.#instructions.length);
  }

  /** Number of the instruction that a label stands before. */
  position(label: string): number {
    const position = this.#labels.get(label);
    if (position === undefined) throw new AssemblyError(`label ${label} stands nowhere`);
    if (position === this.#instructions.length) {
      throw new AssemblyError(`label ${label} stands behind the last instruction`);
    }
    return position;
  }

  build(): Uint8Array {
    const bytes = Buffer.alloc(this.#instructions.length * INSTRUCTION_SIZE);
    for (const [index, instruction] of this.#instructions.entries()) {
      this.#encode(bytes, index, instruction);
    }
    return bytes;
  }

  #encode(bytes: Buffer, index: number, instruction: Instruction): void {
    const { opcode, to, from, jump, callee } = instruction;
    const source = instruction.source ?? from?.index ?? 0;
    const offset = jump === undefined ? (instruction.offset ?? 0) : this.#jump(index, jump);
    const immediate =
      callee === undefined ? (instruction.immediate ?? 0) : this.#distance(index, callee);
    const at = index * INSTRUCTION_SIZE;
    bytes.writeUInt8(opcode, at);
    bytes.writeUInt8((source << 4) | (to?.index ?? 0), at + 1);
    bytes.writeInt16LE(offset, at + 2);
    bytes.writeInt32LE(immediate, at + 4);
  }

  #jump(index: number, label: string): number {
    const distance = this.#distance(index, label);
    if (distance >= LEAST_OFFSET && distance <= MOST_OFFSET) return distance;
    throw new AssemblyError(`label ${label} is ${distance} instructions away: too far to jump`);
  }

  /** Instructions from the one after `index` to the label. */
  #distance(index: number, label: string): number {
    return this.position(label) - index - 1;
  }
}
