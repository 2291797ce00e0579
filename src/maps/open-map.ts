import { type Errno, type MapInfo, mapFdinfo } from "../kernel/index.js";
import { explain, explainKernelError } from "./explain.js";
import { MapError } from "./map-error.js";
import { layoutOf, type MapLayout } from "./map-layout.js";
import type { SharedFd } from "./shared-fd.js";

/** A map that is open for one operation; {@link close} must be called. */
export class OpenMap {
  readonly fd: number;
  readonly info: MapInfo;
  readonly layout: MapLayout;
  /** Names the map in messages: `map 12 "stats" (hash)`. */
  readonly label: string;
  readonly #shared: SharedFd;
  #closed = false;

  /** Takes over one user of the fd. */
  constructor(fd: SharedFd, info: MapInfo, possibleCpus: readonly number[], typeName: string) {
    this.fd = fd.fd;
    this.info = info;
    this.layout = layoutOf(info, possibleCpus);
    this.label = `map ${info.id}${info.name && ` "${info.name}"`} (${typeName})`;
    this.#shared = fd;
  }

  /** The error for what the kernel answered to an operation on this map. */
  explain(errno: Errno, operation: string): MapError {
    const { label: map, info } = this;
    return explain(errno, { map, type: info.type, operation, isFrozen: () => this.isFrozen() });
  }

  /** What was thrown while the map was used: a MapError then names the map. */
  named(thrown: unknown): unknown {
    if (thrown instanceof MapError) return thrown.about(this.label);
    return explainKernelError(thrown, this.label) ?? thrown;
  }

  /** Whether user space may write the map no longer. */
  isFrozen(): boolean {
    return mapFdinfo(this.fd).frozen ?? false;
  }

  /** Type of the programs that a PROG_ARRAY belongs to; undefined where there is none yet. */
  ownerProgramType(): number | undefined {
    return mapFdinfo(this.fd).ownerProgType;
  }

  /** The fd with a user added, for what outlasts the operation. */
  share(): SharedFd {
    return this.#shared.acquire();
  }

  /** Gives the fd back. The map dies with it unless something else refers to it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shared.release();
  }
}
