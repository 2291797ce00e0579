import {
  Assembler,
  closeFd,
  ElementCalls,
  FP,
  mapCreate,
  ProgramType,
  programLoad,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R7,
  R8,
  R9,
} from "#dist/kernel/index.js";
import { MapType } from "#dist/maps/map-type.js";

/** Elements that one run of a program can write. */
export const MOST_PER_RUN = 64;

/** The kernel takes an Ethernet header off the packet before a socket filter sees it. */
const HEADER = 14;

/** Places in the packet, and of one element in it. */
const COUNT_SIZE = 8;
const KEY_ROOM = 8;
const VALUE_SIZE = 8;
const ELEMENT_SIZE = KEY_ROOM + VALUE_SIZE;

/** What a program does to each element of its packet. */
type Operation = "update" | "delete" | "increment";

/**
 * Socket filters that write a map whose keys have at most 8 bytes and whose values have
 * 8: by helpers, or in place through the pointer that a lookup gives. BPF_PROG_TEST_RUN
 * runs them in this process.
 */
export class MapPrograms {
  readonly #keySize: number;
  readonly #fds: Readonly<Record<Operation, number>>;
  readonly #resultsFd: number;
  readonly #results: ElementCalls;

  constructor(mapFd: number, keySize: number) {
    this.#keySize = keySize;
    this.#resultsFd = mapCreate({
      type: MapType.ARRAY,
      keySize: 4,
      valueSize: MOST_PER_RUN * VALUE_SIZE,
      maxEntries: 1,
    });
    this.#results = new ElementCalls(this.#resultsFd, 4, MOST_PER_RUN * VALUE_SIZE);
    this.#results.key.fill(0);
    const load = (operation: Operation) =>
      programLoad({
        type: ProgramType.SOCKET_FILTER,
        name: `model_${operation}`,
        instructions: writer(operation, mapFd, this.#resultsFd),
      });
    this.#fds = {
      update: load("update"),
      delete: load("delete"),
      increment: load("increment"),
    };
  }

  /** Puts elements one after the other; answers for each whether that was done. */
  update(elements: readonly (readonly [key: Buffer, value: Buffer])[]): boolean[] {
    return this.#run("update", elements).map((result) => result === 0n);
  }

  /** Deletes elements one after the other; answers for each whether it was there. */
  delete(keys: readonly Buffer[]): boolean[] {
    return this.#run("delete", keys.map(keyOnly)).map((result) => result === 0n);
  }

  /** Adds 1 to the first u64 of elements, in place; answers for each whether it was there. */
  increment(keys: readonly Buffer[]): boolean[] {
    return this.#run("increment", keys.map(keyOnly)).map((result) => result === 0n);
  }

  /** Unloads the programs. */
  free(): void {
    for (const fd of Object.values(this.#fds)) closeFd(fd);
    this.#results.release();
    closeFd(this.#resultsFd);
  }

  #run(operation: Operation, elements: readonly (readonly [Buffer, Buffer])[]): bigint[] {
    if (elements.length > MOST_PER_RUN) throw new Error(`more than ${MOST_PER_RUN} elements`);
    const data = Buffer.alloc(HEADER + COUNT_SIZE + elements.length * ELEMENT_SIZE);
    data.writeUInt32LE(elements.length, HEADER);
    for (const [index, [key, value]] of elements.entries()) {
      const at = HEADER + COUNT_SIZE + index * ELEMENT_SIZE;
      data.set(key.subarray(0, this.#keySize), at);
      data.set(value.subarray(0, VALUE_SIZE), at + KEY_ROOM);
    }
    programTestRun(this.#fds[operation], { data });
    const errno = this.#results.lookup();
    if (errno !== undefined) throw new Error(`cannot read what a program did: ${errno}`);
    return elements.map((_, index) => this.#results.value.readBigInt64LE(index * VALUE_SIZE));
  }
}

const keyOnly = (key: Buffer) => [key, Buffer.alloc(VALUE_SIZE)] as const;

/** Where the key and the value of an element stand on the program's stack. */
const KEY = -8;
const VALUE = -16;
const COUNT = -24;

/** A program that does something to each element of its packet, and notes how that went. */
function writer(operation: Operation, mapFd: number, resultsFd: number): Uint8Array {
  return new Assembler()
    .mov(R6, R1)
    .mov(R8, 0)
    .part((program) => readPacket(program, COUNT, COUNT_SIZE))
    .load("u64", R7, FP, COUNT)
    .mov(R9, 0)
    .label("next")
    .jumpIf(R9, ">=", R7, "end")
    .jumpIf(R9, ">=", MOST_PER_RUN, "end")
    .store("u64", FP, KEY, 0)
    .part((program) => readPacket(program, KEY, KEY_ROOM))
    .part((program) => readPacket(program, VALUE, VALUE_SIZE))
    .loadMap(R1, mapFd)
    .mov(R2, FP)
    .add(R2, KEY)
    .part((program) => OPERATIONS[operation](program))
    .mov(R1, R9)
    .lsh(R1, 3)
    .loadMapValue(R2, resultsFd)
    .add(R2, R1)
    .store("u64", R2, 0, R0)
    .add(R9, 1)
    .jump("next")
    .label("end")
    .return(0)
    .build();
}

/** Reads the packet's next bytes onto the stack; R6 is the packet, R8 counts what is read. */
function readPacket(program: Assembler, to: number, size: number): void {
  program
    .mov(R1, R6)
    .mov(R2, R8)
    .mov(R3, FP)
    .add(R3, to)
    .mov(R4, size)
    .call("skb_load_bytes")
    .jumpIf(R0, "!=", 0, "end")
    .add(R8, size);
}

const OPERATIONS: Readonly<Record<Operation, (program: Assembler) => void>> = {
  update: (program) => program.mov(R3, FP).add(R3, VALUE).mov(R4, 0).call("map_update_elem"),
  delete: (program) => program.call("map_delete_elem"),
  increment: (program) =>
    program
      .call("map_lookup_elem")
      .mov(R1, R0)
      .mov(R0, -2)
      .jumpIf(R1, "==", 0, "missing")
      .mov(R2, 1)
      .atomic("add", "u64", R1, 0, R2)
      .mov(R0, 0)
      .label("missing"),
};
