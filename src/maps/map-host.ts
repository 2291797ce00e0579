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
import { type HoldEvents, HoldRegistry } from "./hold-registry.js";
import { MapError } from "./map-error.js";
import type { MapLimits } from "./map-limits.js";
import { OpenMap } from "./open-map.js";
import { PinPaths } from "./pin-path.js";
import { SharedFd } from "./shared-fd.js";
import { ThreadPool } from "./threads/thread-pool.js";

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

/** The maps of this host: what every operation starts from. */
export class MapHost {
  readonly identity: HostIdentity;
  readonly capabilities: CapabilityTable;
  readonly holds: HoldRegistry;
  readonly pins: PinPaths;
  readonly limits: MapLimits;
  readonly threads: ThreadPool;

  private constructor(options: MapHostOptions, identity: HostIdentity) {
    this.identity = identity;
    this.limits = options.limits;
    this.capabilities = CapabilityTable.probe();
    this.pins = new PinPaths(options.bpffsRoots, options.holdDirectory);
    this.holds = new HoldRegistry(options.holdDirectory, options);
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

  /** Ends scans and loads, and closes every fd. Held maps stay pinned. */
  async close(): Promise<void> {
    await this.threads.close();
    this.holds.close();
  }

  /** Opens a held map for one operation. */
  openHeld(name: string): OpenMap {
    const { fd, info } = this.holds.borrow(name);
    return this.#open(fd, info);
  }

  /** Opens a map by id for one operation; undefined where there is none. */
  openById(id: number): OpenMap | undefined {
    const held = this.holds.borrowById(id);
    if (held) return this.#open(held.fd, held.info);
    try {
      return this.adopt(mapGetFdById(id));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.errno === "ENOENT") return undefined;
      throw explainOpen(error, `map id ${id}`);
    }
  }

  /** Takes over a map's fd, to be closed with the map. */
  adopt(fd: number): OpenMap {
    return this.#open(new SharedFd(fd), mapInfo(fd));
  }

  #open(fd: SharedFd, info: MapInfo): OpenMap {
    const typeName = this.capabilities.of(info.type)?.name ?? `type ${info.type}`;
    return new OpenMap(fd.fd, info, this.identity.possibleCpus, typeName, () => fd.release());
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
  const metadata = { errno: error.errno };
  switch (error.errno) {
    case "EPERM":
    case "EACCES":
      return new MapError(
        "KERNEL_DENIED",
        `cannot open ${what}: the daemon lacks CAP_SYS_ADMIN; hold the map or name its pin instead`,
        { metadata, cause: error },
      );
    case "EMFILE":
    case "ENFILE":
      return new MapError(
        "FILE_DESCRIPTORS",
        `cannot open ${what}: no file descriptor is left; raise LimitNOFILE`,
        { metadata, cause: error },
      );
    default:
      return new MapError(
        "KERNEL_ERROR",
        `cannot open ${what}: the kernel answered ${error.errno}`,
        { metadata, cause: error },
      );
  }
}
