/** A register of a BPF program. */
export class Register {
  readonly index: number;
  readonly name: string;

  constructor(index: number) {
    this.index = index;
    this.name = `R${index}`;
  }
}

/** What helpers and programs return. */
export const R0 = new Register(0);
/** First argument of helpers; the context when the program starts. Calls destroy R1 to R5. */
export const R1 = new Register(1);
export const R2 = new Register(2);
export const R3 = new Register(3);
export const R4 = new Register(4);
export const R5 = new Register(5);
/** First of the registers that calls leave alone. */
export const R6 = new Register(6);
export const R7 = new Register(7);
export const R8 = new Register(8);
export const R9 = new Register(9);
/** Frame pointer, read-only: the stack is the 512 bytes below it. */
export const FP = new Register(10);
