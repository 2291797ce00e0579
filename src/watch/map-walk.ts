import { ArrayMemory, KernelError } from "../kernel/index.js";
import {
  type ElementSource,
  MAX_RESTARTS,
  openSource,
  type ScanTarget,
  stretchFor,
} from "../maps/index.js";
import type { MapMirror } from "./map-mirror.js";

/** Bytes of memory that are compared in one go; a few hundred microseconds where nothing changed. */
const STRETCH_BYTES = 1 << 21;

/** One walk over a map that its mirror is compared with. {@link release} must be called. */
export interface MapWalk {
  /** Has the next stretch compared; false at the end. */
  step(mirror: MapMirror): boolean;
  /** Whether every element that stood still was met. */
  readonly isComplete: boolean;
  release(): void;
}

/** Begins the walks over one map, each with an fd of its own: none keeps the map alive after. */
export class MapWalks {
  readonly #dedupMemoryBytes: number;
  /** "untried" until the first walk. */
  #memory: ArrayMemory | "none" | "untried" = "untried";

  constructor(dedupMemoryBytes: number) {
    this.#dedupMemoryBytes = dedupMemoryBytes;
  }

  /** Begins a walk; the one before must have been released. */
  start(target: ScanTarget): MapWalk {
    const memory = target.isMappable ? this.#mapped(target.fd) : undefined;
    return memory ? new MemoryWalk(memory) : new SourceWalk(target, this.#dedupMemoryBytes);
  }

  #mapped(fd: number): ArrayMemory | undefined {
    if (this.#memory === "untried") return this.#firstMapped(fd);
    if (this.#memory === "none") return undefined;
    this.#memory.remap(fd);
    return this.#memory;
  }

  /** A kernel that refuses does so for the map's kind: walks over it are of one kind. */
  #firstMapped(fd: number): ArrayMemory | undefined {
    this.#memory = "none";
    try {
      this.#memory = ArrayMemory.open(fd);
      return this.#memory;
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }
}

class SourceWalk implements MapWalk {
  readonly #source: ElementSource;

  constructor(target: ScanTarget, dedupMemoryBytes: number) {
    this.#source = openSource(target, {
      stretch: stretchFor(target.layout),
      dedupMemoryBytes,
      maxRestarts: MAX_RESTARTS,
    });
  }

  get isComplete(): boolean {
    return this.#source.stats.incomplete === undefined;
  }

  step(mirror: MapMirror): boolean {
    if (!this.#source.next()) return false;
    mirror.meet(this.#source);
    return true;
  }

  release(): void {
    this.#source.release();
  }
}

class MemoryWalk implements MapWalk {
  readonly isComplete = true;
  readonly #memory: ArrayMemory;
  #next = 0;

  constructor(memory: ArrayMemory) {
    this.#memory = memory;
  }

  step(mirror: MapMirror): boolean {
    const { stride, maxEntries } = this.#memory;
    const stretch = Math.max(1, Math.floor(STRETCH_BYTES / stride));
    const count = Math.min(stretch, maxEntries - this.#next);
    if (count === 0) return false;
    mirror.meetInPlace(this.#memory, this.#next, count);
    this.#next += count;
    return true;
  }

  release(): void {
    this.#memory.unmap();
  }
}
