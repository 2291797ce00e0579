import {
  bootId,
  type Capability,
  effectiveCapabilities,
  hostNames,
  isBpffs,
  isLittleEndian,
  KernelError,
  type MapInfo,
  mapGetFdById,
  mapInfo,
  mountBpffs,
  onlineCpus,
  pageSize,
  possibleCpus,
  raiseMemlockIfCharged,
} from "../kernel/index.js";
import { CapabilityTable } from "./capability-table.js";
import { refusalOf } from "./explain.js";
import { type HoldEvents, HoldRegistry } from "./hold-registry.js";
import { KeptObjects } from "./kept-objects.js";
import { MapError } from "./map-error.js";
import type { MapLimits } from "./map-limits.js";
import { OpenMap } from "./open-map.js";
import { PinPaths } from "./pin-path.js";
import { SharedFd } from "./shared-fd.js";
import { ThreadPool } from "./threads/thread-pool.js";
import { BtfCache } from "./typing/btf-cache.js";
import { keysBefore, writtenKeys } from "./written-keys.js";

/** How a {@link MapHost} is set up. */
export interface MapHostOptions extends HoldEvents {
  /** Directories below which pins may be named: absolute, on bpffs. */
  readonly bpffsRoots: readonly string[];
  /** Mount a bpffs on a root where none is. */
  readonly mountBpffs: boolean;
  /** The daemon's own directory, in one of the roots. */
  readonly holdDirectory: string;
  readonly limits: MapLimits;
}

/** A capability that the process lacks, and what does not work without it. */
export interface MissingCapability {
  readonly name: string;
  readonly consequence: string;
}

/** What does not change while the daemon runs. */
export interface HostIdentity {
  readonly bootId: string;
  readonly hostname: string;
  readonly kernelRelease: string;
  readonly machine: string;
  readonly littleEndian: boolean;
  readonly possibleCpus: readonly number[];
  readonly pageSize: number;
  readonly bpffsRoots: readonly string[];
  readonly missingCapabilities: readonly MissingCapability[];
}

const CONSEQUENCES: Partial<Record<Capability, string>> = {
  CAP_SYS_ADMIN: "maps cannot be listed, nor opened by id or name; held maps and pins still can",
  CAP_BPF: "maps cannot be created on hosts with kernel.unprivileged_bpf_disabled set",
  CAP_NET_ADMIN: "maps of sockets and network devices cannot be created",
};

/**
 * Told of every write that the service makes: the map's id, and the keys that were
 * written, back to back; without keys where it may be any number of them.
 */
export type WriteListener = (mapId: number, keys?: Uint8Array) => void;

/** The maps of this host: what every operation starts from. */
export class MapHost {
  readonly identity: HostIdentity;
  readonly capabilities: CapabilityTable;
  readonly holds: HoldRegistry;
  /** Elements that live no longer than an fd of the daemon's. */
  readonly kept = new KeptObjects((id) => this.holds.isHeld(id));
  readonly pins: PinPaths;
  readonly limits: MapLimits;
  readonly threads: ThreadPool;
  /** The types of maps, programs and the kernel. */
  readonly btf = new BtfCache();
  /** NUMA nodes of maps created here, by map id: the kernel does not tell them. */
  readonly numaNodes = new Map<number, number>();
  readonly #writeListeners: WriteListener[] = [];
  #closing: Promise<void> | undefined;

  private constructor(options: MapHostOptions, identity: HostIdentity) {
    this.identity = identity;
    this.limits = options.limits;
    this.capabilities = CapabilityTable.probe();
    this.pins = new PinPaths(options.bpffsRoots, options.holdDirectory);
    this.holds = new HoldRegistry(options.holdDirectory, options, (id) => this.kept.drop(id));
    this.threads = new ThreadPool(
      new URL("./scan/thread.js", import.meta.url),
      options.limits.scanThreads,
      options.limits.maxScans,
    );
  }

  /**
   * Prepares the host (bpffs, memlock), probes what its kernel can do, and takes over
   * the maps that an earlier daemon held. Throws an Error for a person where that fails.
   */
  static async open(options: MapHostOptions): Promise<MapHost> {
    const capable = effectiveCapabilities();
    for (const root of options.bpffsRoots) prepareRoot(root, options.mountBpffs);
    // Without CAP_BPF every map is refused, whatever the limit.
    if (capable.has("CAP_BPF") || capable.has("CAP_SYS_ADMIN")) raiseMemlockIfCharged();
    return new MapHost(options, {
      bootId: bootId(),
      ...hostNames(),
      littleEndian: isLittleEndian(),
      possibleCpus: possibleCpus(),
      pageSize: pageSize(),
      bpffsRoots: options.bpffsRoots,
      missingCapabilities: missingOf(capable),
    });
  }

  /** CPUs that run now, ascending. */
  onlineCpus(): number[] {
    return onlineCpus();
  }

  /** Ends scans and loads, and closes every fd, once. Held maps stay pinned. */
  close(): Promise<void> {
    // A second close of the same numbers could close what others have opened since.
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.threads.close();
    this.kept.close();
    this.holds.close();
  }

  /** Calls back after every write of elements that the service makes. */
  onWrite(listener: WriteListener): void {
    this.#writeListeners.push(listener);
  }

  /**
   * Does work that writes elements of a map, and tells of what was written however it
   * ends.
   *
   * @param keys the keys that it writes, back to back; undefined for any number of them.
   *   Those that the answer names in `failures` were not written.
   */
  async writing<T>(map: OpenMap, keys: Uint8Array | undefined, work: () => Promise<T>): Promise<T> {
    const { keySize } = map.layout;
    try {
      const answer = await work();
      this.#tellWritten(map, keys && writtenKeys(keys, keySize, answer));
      return answer;
    } catch (error) {
      this.#tellWritten(map, keys && keysBefore(keys, keySize, error));
      throw error;
    }
  }

  #tellWritten({ info }: OpenMap, keys: Uint8Array | undefined): void {
    if (keys?.length === 0) return;
    for (const listener of this.#writeListeners) listener(info.id, keys);
  }

  /**
   * Opens a held map for one operation.
   *
   * @param readOnly with an fd of its own that cannot write
   */
  openHeld(name: string, readOnly = false): OpenMap {
    const { fd, info } = readOnly ? this.holds.openReadOnly(name) : this.holds.borrow(name);
    return this.#open(fd, info);
  }

  /**
   * Opens a map by id for one operation; undefined where there is none.
   *
   * @param readOnly with an fd that cannot write
   */
  openById(id: number, readOnly = false): OpenMap | undefined {
    const hold = this.holds.nameOf(id);
    if (hold !== undefined) return this.openHeld(hold, readOnly);
    try {
      return this.adopt(mapGetFdById(id, readOnly));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.errno === "ENOENT") return undefined;
      throw explainOpen(error, `map id ${id}`);
    }
  }

  /** Takes over a map's fd, to be closed with the map. */
  adopt(fd: number): OpenMap {
    const shared = new SharedFd(fd);
    try {
      return this.#open(shared, mapInfo(fd));
    } catch (error) {
      shared.release();
      throw error;
    }
  }

  #open(fd: SharedFd, info: MapInfo): OpenMap {
    const typeName = this.capabilities.of(info.type)?.name ?? `type ${info.type}`;
    return new OpenMap(fd, info, this.identity.possibleCpus, typeName);
  }
}

function prepareRoot(root: string, mayMount: boolean): void {
  try {
    if (isBpffs(root)) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (!mayMount) {
    throw new Error(
      `${root} is not a mounted bpffs: run \`mount -t bpf bpf ${root}\`, or set bpffs.mount`,
    );
  }
  try {
    mountBpffs(root);
  } catch (error) {
    throw new Error(
      `cannot mount a bpffs on ${root}: mount it before, or give the daemon CAP_SYS_ADMIN`,
      {
        cause: error,
      },
    );
  }
}

function missingOf(capable: ReadonlySet<Capability>): MissingCapability[] {
  // CAP_SYS_ADMIN includes what CAP_BPF and CAP_NET_ADMIN allow to maps.
  if (capable.has("CAP_SYS_ADMIN")) return [];
  return (Object.entries(CONSEQUENCES) as [Capability, string][])
    .filter(([name]) => !capable.has(name))
    .map(([name, consequence]) => ({ name, consequence }));
}

function explainOpen(error: KernelError, what: string): MapError {
  const { reason, advice } = refusalOf(error.errno);
  const isDenied = reason === "KERNEL_DENIED";
  const text = isDenied
    ? "the daemon lacks CAP_SYS_ADMIN; hold the map or name its pin instead"
    : advice;
  const metadata = { errno: error.errno };
  return new MapError(reason, `cannot open ${what}: ${text}`, { metadata, cause: error });
}
