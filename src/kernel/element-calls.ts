import { Arena } from "./arena.js";
import { type Errno, errnoName } from "./errno.js";
import { bpf } from "./libc.js";
import { BpfCommand } from "./numbers.js";

const ATTR_SIZE = 32;
const KEY_FIELD = 8;
const VALUE_FIELD = 16;
const FLAGS_FIELD = 24;
const NEXT_ATTR = 32;
const DELETE_ATTR = 64;
const KEY = 96;

/** Flags of the element commands; CPU numbers go into the upper half. */
export const ElementFlag = { ANY: 0, NOEXIST: 1, EXIST: 2, LOCK: 4, CPU: 8, ALL_CPUS: 16 } as const;

/**
 * The element commands of bpf(2) on one map, with the attribute prepared once: a single
 * call then costs little more than in C.
 *
 * Write the key (and value) into `key` and `value`, call, and read the answer there.
 * Each call answers undefined, or the errno's name. The buffers belong to the kernel
 * floor and must not be used after {@link release}.
 */
export class ElementCalls {
  /** `keySize` bytes that every command reads the key from. */
  readonly key: Buffer;
  /** `keySize` bytes that {@link nextKey} writes the next key to. */
  readonly following: Buffer;
  /** `valueSize` bytes that lookups write and updates read. */
  readonly value: Buffer;
  readonly #arena: Arena;

  /**
   * @param valueSize bytes that the kernel reads and writes for one value: for per-CPU
   *   maps the whole stride over the possible CPUs. Too small a size would let the
   *   kernel write over foreign memory, so it must come from the kernel's own info.
   */
  constructor(fd: number, keySize: number, valueSize: number) {
    const padded = (keySize + 7) & ~7;
    const arena = Arena.take(KEY + 2 * padded + valueSize);
    const following = KEY + padded;
    const value = following + padded;
    this.#arena = arena;
    this.key = arena.bytes.subarray(KEY, KEY + keySize);
    this.following = arena.bytes.subarray(following, following + keySize);
    this.value = arena.bytes.subarray(value, value + valueSize);
    arena.bytes.fill(0, 0, KEY);
    for (const attr of [0, NEXT_ATTR, DELETE_ATTR]) {
      arena.setU32(attr, fd);
      // Queues, stacks and bloom filters insist on a NULL key.
      arena.setU64(attr + KEY_FIELD, keySize > 0 ? arena.at(KEY) : 0);
    }
    // Deletion has an attribute of its own because its value field must be zero.
    arena.setU64(VALUE_FIELD, arena.at(value));
    arena.setU64(NEXT_ATTR + VALUE_FIELD, arena.at(following));
  }

  /** BPF_MAP_LOOKUP_ELEM. */
  lookup(flags = 0, cpu = 0): Errno | undefined {
    return this.#call(BpfCommand.MAP_LOOKUP_ELEM, flags, cpu);
  }

  /** BPF_MAP_UPDATE_ELEM. */
  update(flags = 0, cpu = 0): Errno | undefined {
    return this.#call(BpfCommand.MAP_UPDATE_ELEM, flags, cpu);
  }

  /** BPF_MAP_DELETE_ELEM. */
  delete(): Errno | undefined {
    const result = bpf(BpfCommand.MAP_DELETE_ELEM, this.#arena.at(DELETE_ATTR), ATTR_SIZE);
    return result < 0 ? errnoName(-result) : undefined;
  }

  /** BPF_MAP_LOOKUP_AND_DELETE_ELEM. */
  lookupAndDelete(): Errno | undefined {
    return this.#call(BpfCommand.MAP_LOOKUP_AND_DELETE_ELEM, 0, 0);
  }

  /**
   * BPF_MAP_GET_NEXT_KEY: the key after `key` into `following`. Starts at the first key
   * where `key` is not in the map; ENOENT after the last.
   */
  nextKey(): Errno | undefined {
    return this.#next(this.#arena.at(KEY));
  }

  /** BPF_MAP_GET_NEXT_KEY with no key: the first key into `following`. */
  firstKey(): Errno | undefined {
    return this.#next(0);
  }

  /** Gives the memory back. */
  release(): void {
    this.#arena.release();
  }

  #next(key: number): Errno | undefined {
    this.#arena.setU64(NEXT_ATTR + KEY_FIELD, key);
    const result = bpf(BpfCommand.MAP_GET_NEXT_KEY, this.#arena.at(NEXT_ATTR), ATTR_SIZE);
    return result < 0 ? errnoName(-result) : undefined;
  }

  #call(command: number, flags: number, cpu: number): Errno | undefined {
    this.#arena.setU32(FLAGS_FIELD, flags);
    this.#arena.setU32(FLAGS_FIELD + 4, cpu);
    const result = bpf(command, this.#arena.address, ATTR_SIZE);
    return result < 0 ? errnoName(-result) : undefined;
  }
}
