import { type Btf, readKernelBtf } from "../../kernel/index.js";
import { TraceRefused } from "./trace-refused.js";

let cached: KernelLayout | undefined;

/** The running kernel's types, which offsets and functions are looked up in. */
export class KernelLayout {
  readonly #btf: Btf;

  private constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** Reads them, once for each thread. Throws TraceRefused where the kernel was built without. */
  static read(): KernelLayout {
    if (cached) return cached;
    const btf = readKernelBtf();
    if (!btf) throw new TraceRefused("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
    cached = new KernelLayout(btf);
    return cached;
  }

  /** Bytes from the start of a struct to a member. Throws TraceRefused where it has none. */
  offset(struct: string, member: string): number {
    for (const id of this.#btf.find(struct, "struct")) {
      const type = this.#btf.type(id);
      if (type.kind !== "struct") continue;
      const bits = this.#bitOffset(type.members, member);
      if (bits !== undefined) return bits / 8;
    }
    throw new TraceRefused(`this kernel's struct ${struct} has no ${member}`);
  }

  /** Id of a function; undefined where the kernel does not have it as one of its own. */
  functionId(name: string): number | undefined {
    return this.#btf.find(name, "func")[0];
  }

  #bitOffset(
    members: readonly { name: string; type: number; bitOffset: number }[],
    wanted: string,
  ): number | undefined {
    for (const { name, type, bitOffset } of members) {
      if (name === wanted) return bitOffset;
      const inner = name === "" ? this.#btf.type(type) : undefined;
      if (inner?.kind !== "struct" && inner?.kind !== "union") continue;
      const inside = this.#bitOffset(inner.members, wanted);
      if (inside !== undefined) return bitOffset + inside;
    }
    return undefined;
  }
}
