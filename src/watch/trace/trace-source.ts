import {
  AttachType,
  closeFd,
  ElementCalls,
  type EpollWaiter,
  type FdWatch,
  KernelError,
  mapCreate,
  ProgramType,
  programInfo,
  programLoad,
  RingBufferReader,
  rawTracepointOpen,
} from "../../kernel/index.js";
import { MapType, type ScanTarget } from "../../maps/index.js";
import { fexitProgram } from "./fexit-program.js";
import { KernelLayout } from "./kernel-layout.js";
import type { TraceMaps } from "./record-program.js";
import { syscallProgram } from "./syscall-program.js";
import { hooksOf, type TraceHook } from "./trace-hook.js";
import { RecordLayout, type TraceRecord } from "./trace-record.js";
import { TraceRefused } from "./trace-refused.js";

/** What is traced: every update and delete call, or only those by system call. */
export type TraceKind = "trace" | "syscall";

/** Records taken out of the ring at once. */
const MOST_RECORDS = 4096;

/** Programs in the kernel that tell of the calls that write one map. */
export class TraceSource {
  readonly kind: TraceKind;
  readonly #records: RecordLayout;
  readonly #maps: TraceMaps;
  readonly #ring: RingBufferReader;
  readonly #lostCalls: ElementCalls;
  /** Programs, and what attaches them. */
  readonly #fds: number[] = [];
  readonly #programFds: number[] = [];
  #watch: FdWatch | undefined;
  #missesSoFar = 0n;

  private constructor(kind: TraceKind, target: ScanTarget, ringBytes: number) {
    this.kind = kind;
    this.#records = new RecordLayout(target.layout);
    this.#maps = makeMaps(ringBytes);
    this.#ring = RingBufferReader.open(this.#maps.ringFd);
    this.#lostCalls = new ElementCalls(this.#maps.lostFd, 4, 8);
  }

  /**
   * Attaches the programs. From then on every call is told. Throws TraceRefused, with
   * nothing left behind, where this kernel or the map's type does not allow it.
   */
  static open(kind: TraceKind, target: ScanTarget, mapId: number, ringBytes: number): TraceSource {
    const kernel = KernelLayout.read();
    const source = new TraceSource(kind, target, ringBytes);
    try {
      if (kind === "trace") source.#traceFunctions(target, mapId, kernel);
      else source.#traceSystemCalls(mapId, kernel);
      return source;
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Calls back when calls were traced; once, until {@link take} has taken all. */
  onNews(waiter: EpollWaiter, tell: () => void): void {
    this.#watch = waiter.watch(this.#maps.ringFd, "readable", tell);
  }

  /** Calls that the ring had no room for, since tracing began. */
  get lost(): number {
    this.#lostCalls.key.fill(0);
    if (this.#lostCalls.lookup() !== undefined) return 0;
    return Number(this.#lostCalls.value.readBigUInt64LE());
  }

  /** The records that wait, and whether these were all. */
  take(): { readonly records: readonly TraceRecord[]; readonly isAll: boolean } {
    const records: TraceRecord[] = [];
    const count = this.#ring.read(
      (ring, start) => records.push(this.#records.read(ring, start)),
      MOST_RECORDS,
    );
    const isAll = count < MOST_RECORDS;
    if (isAll) this.#watch?.rearm();
    return { records, isAll };
  }

  /**
   * Times, since the last look, that a program did not run because it ran already on that
   * CPU, as when an interrupt writes a map while a call is told. The call may have been on
   * another map. (Before Linux 5.12 the kernel does not count them.)
   */
  takeMisses(): number {
    let misses = 0n;
    for (const fd of this.#programFds) misses += programInfo(fd).recursionMisses;
    const news = Number(misses - this.#missesSoFar);
    this.#missesSoFar = misses;
    return news;
  }

  /** Detaches the programs. */
  close(): void {
    this.#watch?.end();
    // What attaches a program comes after it: first nothing runs any more.
    for (const fd of this.#fds.toReversed()) closeFd(fd);
    this.#ring.close();
    this.#lostCalls.release();
    closeFd(this.#maps.ringFd);
    closeFd(this.#maps.lostFd);
  }

  #traceFunctions(target: ScanTarget, mapId: number, kernel: KernelLayout): void {
    const hooks = hooksOf(target.layout.type);
    if (!hooks) throw new TraceRefused(`maps like ${target.label} are not traced`);
    for (const hook of hooks) {
      try {
        this.#traceFunction(hook, mapId, kernel);
      } catch (error) {
        if (!(error instanceof TraceRefused) || !hook.optional) throw error;
      }
    }
  }

  #traceFunction(hook: TraceHook, mapId: number, kernel: KernelLayout): void {
    const attachBtfId = kernel.functionId(hook.name);
    if (attachBtfId === undefined) {
      throw new TraceRefused(`this kernel has no function ${hook.name} to trace`);
    }
    const instructions = fexitProgram(hook, mapId, this.#records, this.#maps, kernel);
    this.#attach(`the function ${hook.name}`, () => {
      const programFd = this.#keep(
        programLoad({
          type: ProgramType.TRACING,
          expectedAttachType: AttachType.TRACE_FEXIT,
          name: "bpfmapd_fexit",
          attachBtfId,
          instructions,
        }),
      );
      this.#keep(rawTracepointOpen({ programFd }));
      this.#programFds.push(programFd);
    });
  }

  #traceSystemCalls(mapId: number, kernel: KernelLayout): void {
    const instructions = syscallProgram(mapId, this.#records, this.#maps, kernel);
    this.#attach("system calls", () => {
      const type = ProgramType.RAW_TRACEPOINT;
      const programFd = this.#keep(programLoad({ type, name: "bpfmapd_sysexit", instructions }));
      this.#keep(rawTracepointOpen({ programFd, name: "sys_exit" }));
    });
  }

  #attach(what: string, attach: () => void): void {
    try {
      attach();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      throw new TraceRefused(`this kernel refuses to trace ${what} (${error.errno})`, {
        cause: error,
      });
    }
  }

  #keep(fd: number): number {
    this.#fds.push(fd);
    return fd;
  }
}

function makeMaps(ringBytes: number): TraceMaps {
  const ring = { type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: ringBytes };
  const lost = { type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };
  const ringFd = mapCreate({ ...ring, name: "bpfmapd_ring" });
  try {
    return { ringFd, lostFd: mapCreate({ ...lost, name: "bpfmapd_lost" }) };
  } catch (error) {
    closeFd(ringFd);
    throw error;
  }
}
