import { type Errno, type MapInfo, mapFdinfo } from "../kernel/index.js";
import { explain } from "./explain.js";
import { MapError } from "./map-error.js";
import { layoutOf, type MapLayout } from "./map-layout.js";

/** A map that is open for one operation; {@link close} must be called. */
export class OpenMap {
  readonly fd: number;
  readonly info: MapInfo;
  readonly layout: MapLayout;
  /** Names the map in messages: `map 12 "stats" (hash)`. */
  readonly label: string;
  readonly #release: () => void;
  #closed = false;

  constructor(
    fd: number,
    info: MapInfo,
    possibleCpus: readonly number[],
    typeName: string,
    release: () => void,
  ) {
    this.fd = fd;
    this.info = info;
    this.layout = layoutOf(info, possibleCpus);
    this.label = `map ${info.id}${info.name && ` "${info.name}"`} (${typeName})`;
    this.#release = release;
  }

  /** The error for what the kernel answered to an operation on this map. */
  explain(errno: Errno, operation: string): MapError {
    return explain(errno, { map: this.label, operation, isFrozen: () => this.isFrozen() });
  }

  /** What was thrown while the map was used: a MapError then names the map. */
  named(thrown: unknown): unknown {
    return thrown instanceof MapError ? thrown.about(this.label) : thrown;
  }

  /** Whether user space may write the map no longer. */
  isFrozen(): boolean {
    return mapFdinfo(this.fd).frozen ?? false;
  }

  /** Gives the fd back. The map dies with it unless something else refers to it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }
}
