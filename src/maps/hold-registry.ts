import { renameSync, unlinkSync } from "node:fs";
import {
  closeFd,
  isMapFd,
  KernelError,
  type MapInfo,
  mapGetFdById,
  mapInfo,
  objGet,
  objPin,
} from "../kernel/index.js";
import { explainShortage } from "./explain.js";
import { HoldDirectory } from "./hold-directory.js";
import { holdFileName, parseHoldFileName } from "./hold-file.js";
import { LeaseClock } from "./lease-clock.js";
import { MapError } from "./map-error.js";
import type { Hold } from "./map-record.js";
import { SharedFd } from "./shared-fd.js";

/** What a hold should be. */
export interface HoldRequest {
  readonly name: string;
  /** Time to live in milliseconds; absent for a hold without a lease. */
  readonly leaseMs?: number | undefined;
  /**
   * Asked before a hold is made that was not there: throws where the one who asks has as many
   * as it may. What it answers is called when the hold has ended.
   */
  readonly claim?: (() => () => void) | undefined;
}

interface Entry {
  readonly info: MapInfo;
  readonly fd: SharedFd;
  file: string;
  leaseMs: number | undefined;
  /** Gives back what was claimed for the hold; absent of one that was taken over. */
  readonly unclaim?: (() => void) | undefined;
}

/** How much is held. */
export interface HoldCounts {
  readonly maps: number;
  readonly holds: number;
  /** Holds that have a lease. */
  readonly leases: number;
}

/** What happens to holds by itself, for the log. */
export interface HoldEvents {
  /** A hold's lease ran out, and it was released. */
  onLeaseExpired?: ((name: string, mapId: number) => void) | undefined;
  /** A hold's lease ran out, but its pin cannot be removed; it is tried again. */
  onExpiryFailed?: ((name: string, mapId: number, error: unknown) => void) | undefined;
  /** A hold was found at start and taken over. */
  onAdopted?: ((name: string, mapId: number) => void) | undefined;
}

/** Shortest time until a hold is tried to be released again. */
const SHORTEST_RETRY_MS = 100;

/**
 * The maps that the daemon keeps alive, by hold name. Each is pinned in the daemon's
 * own directory on bpffs, so that the kernel keeps it over a crash; the registry takes
 * over at start what it finds there. It also keeps one fd of each, because an idle
 * close is destructive for some types (kernel-maps, trap 2).
 */
export class HoldRegistry {
  readonly #directory: HoldDirectory;
  readonly #entries = new Map<string, Entry>();
  readonly #namesById = new Map<number, Set<string>>();
  readonly #leases: LeaseClock;
  readonly #events: HoldEvents;
  readonly #onUnheld: (mapId: number) => void;

  /**
   * @param directory on bpffs; made where it is missing. Throws where another daemon
   *   uses it: two of them would end each other's leases.
   * @param onUnheld told of each map whose last hold has ended
   */
  constructor(directory: string, events: HoldEvents, onUnheld: (mapId: number) => void = () => {}) {
    this.#directory = new HoldDirectory(directory);
    this.#events = events;
    this.#onUnheld = onUnheld;
    this.#leases = new LeaseClock((name) => this.#expire(name));
    this.#adopt();
  }

  /** Holds a map; a hold of the same name on the same map gets the new lease. */
  hold(fd: number, info: MapInfo, request: HoldRequest): void {
    const existing = this.#entries.get(request.name);
    if (existing) this.#renew(existing, info, request);
    else this.#add(fd, info, request);
    this.#startLease(request);
  }

  /** Ends a hold. HOLD_NOT_FOUND where there is none of this name. */
  release(name: string): void {
    const entry = this.#require(name);
    this.#removePin(entry);
    this.#forget(name, entry);
    this.#leases.stop(name);
    entry.fd.release();
    entry.unclaim?.();
    if (!this.#namesById.has(entry.info.id)) this.#onUnheld(entry.info.id);
  }

  /** Starts leases anew; nothing is renewed where one name is unknown. */
  keepAlive(names: readonly string[]): Hold[] {
    for (const name of names) this.#require(name);
    for (const name of names) this.#leases.keepAlive(name);
    return names.map((name) => this.#describe(name, this.#require(name)));
  }

  /** The id of the map that a hold keeps; undefined where there is no such hold. */
  mapIdOf(name: string): number | undefined {
    return this.#entries.get(name)?.info.id;
  }

  /** Whether there is a hold of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Whether any hold keeps this map. */
  isHeld(id: number): boolean {
    return this.#namesById.has(id);
  }

  /** The fd and info of a held map, with a user added to the fd. */
  borrow(name: string): { fd: SharedFd; info: MapInfo } {
    const { fd, info } = this.#require(name);
    return { fd: fd.acquire(), info };
  }

  /** As {@link borrow}, with an fd of its own that cannot write. */
  openReadOnly(name: string): { fd: SharedFd; info: MapInfo } {
    const { info, file } = this.#require(name);
    try {
      return { fd: new SharedFd(objGet(this.#path(file), true)), info };
    } catch (error) {
      // A pin that somebody has removed by hand; the map lives by the registry's fd.
      if (!(error instanceof KernelError) || error.errno !== "ENOENT") throw error;
      return { fd: new SharedFd(mapGetFdById(info.id, true)), info };
    }
  }

  /** The name of a hold that keeps a map; undefined where the map is not held. */
  nameOf(id: number): string | undefined {
    const [name] = this.#namesById.get(id) ?? [];
    return name;
  }

  /** How much is held now. */
  get counts(): HoldCounts {
    const entries = [...this.#entries.values()];
    const leases = entries.filter(({ leaseMs }) => leaseMs !== undefined).length;
    return { maps: this.#namesById.size, holds: entries.length, leases };
  }

  /** The ids of all held maps, ascending. */
  mapIds(): number[] {
    return [...this.#namesById.keys()].sort((a, b) => a - b);
  }

  /** The holds on a map, sorted by name. */
  holdsOf(id: number): Hold[] {
    const names = [...(this.#namesById.get(id) ?? [])].sort();
    return names.map((name) => this.#describe(name, this.#require(name)));
  }

  /** Closes all fds. The holds stay, pinned, for the next daemon. */
  close(): void {
    this.#leases.close();
    for (const entry of this.#entries.values()) entry.fd.release();
    this.#entries.clear();
    this.#namesById.clear();
    this.#directory.close();
  }

  #adopt(): void {
    for (const file of this.#directory.files()) {
      const hold = parseHoldFileName(file);
      // Two files of one name are nothing that the registry makes: the first counts.
      if (!hold || this.has(hold.name)) continue;
      const opened = openPinnedMap(this.#path(file));
      if (!opened) continue;
      const { fd, info } = opened;
      this.#remember(hold.name, { info, fd, file, leaseMs: hold.leaseMs });
      this.#startLease(hold);
      this.#events.onAdopted?.(hold.name, info.id);
    }
  }

  #add(fd: number, info: MapInfo, request: HoldRequest): void {
    const unclaim = request.claim?.();
    try {
      const { file, held } = this.#pinAndOpen(fd, request);
      this.#remember(request.name, { info, fd: held, file, leaseMs: request.leaseMs, unclaim });
    } catch (error) {
      unclaim?.();
      throw error;
    }
  }

  #pinAndOpen(fd: number, request: HoldRequest): { file: string; held: SharedFd } {
    const file = holdFileName(request);
    this.#pin(file, fd, request.name);
    try {
      return { file, held: new SharedFd(objGet(this.#path(file))) };
    } catch (error) {
      // No fd may be left: the pin alone would keep the map for good.
      unlinkSync(this.#path(file));
      throw error;
    }
  }

  #remember(name: string, entry: Entry): void {
    this.#entries.set(name, entry);
    const names = this.#namesById.get(entry.info.id) ?? new Set();
    this.#namesById.set(entry.info.id, names.add(name));
  }

  #forget(name: string, entry: Entry): void {
    this.#entries.delete(name);
    const names = this.#namesById.get(entry.info.id);
    names?.delete(name);
    if (names?.size === 0) this.#namesById.delete(entry.info.id);
  }

  #renew(entry: Entry, info: MapInfo, request: HoldRequest): void {
    if (entry.info.id !== info.id) {
      throw new MapError(
        "HOLD_EXISTS",
        `the hold "${request.name}" keeps map ${entry.info.id}: release it first, or choose another name`,
        { metadata: { hold: request.name, id: String(entry.info.id) } },
      );
    }
    const file = holdFileName(request);
    try {
      renameSync(this.#path(entry.file), this.#path(file));
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#pin(file, entry.fd.fd, request.name);
    }
    entry.file = file;
    entry.leaseMs = request.leaseMs;
  }

  #pin(file: string, fd: number, name: string): void {
    try {
      objPin(this.#path(file), fd);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.errno === "ENOENT") {
        this.#restore();
        objPin(this.#path(file), fd);
        return;
      }
      if (error.errno !== "EEXIST") throw error;
      throw new MapError(
        "HOLD_EXISTS",
        `something that is no hold of this daemon is at ${this.#path(file)}: remove it, or choose another name`,
        { metadata: { hold: name }, cause: error },
      );
    }
  }

  /** Pins what is held in a new directory; the pins went with the bpffs that was unmounted. */
  #restore(): void {
    this.#directory.restore();
    for (const { file, fd } of this.#entries.values()) objPin(this.#path(file), fd.fd);
  }

  /** Removes a hold's pin; one that somebody has removed by hand is no reason to fail. */
  #removePin(entry: Entry): void {
    try {
      unlinkSync(this.#path(entry.file));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  #startLease(request: HoldRequest): void {
    if (request.leaseMs === undefined) this.#leases.stop(request.name);
    else this.#leases.start(request.name, request.leaseMs);
  }

  /** Runs in a timer, where an error would end the process: it tries again later instead. */
  #expire(name: string): void {
    const { info, leaseMs = 0 } = this.#require(name);
    try {
      this.release(name);
    } catch (error) {
      this.#leases.start(name, Math.max(leaseMs, SHORTEST_RETRY_MS));
      this.#events.onExpiryFailed?.(name, info.id, error);
      return;
    }
    this.#events.onLeaseExpired?.(name, info.id);
  }

  #describe(name: string, entry: Entry): Hold {
    return { name, leaseMs: entry.leaseMs, expiresAtMs: this.#leases.expiresAtMs(name) };
  }

  #require(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    throw new MapError("HOLD_NOT_FOUND", `the daemon has no hold named "${name}"`, {
      metadata: { hold: name },
    });
  }

  #path(file: string): string {
    return this.#directory.pathOf(file);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function openPinnedMap(path: string): { fd: SharedFd; info: MapInfo } | undefined {
  let fd: number;
  try {
    fd = objGet(path);
  } catch (error) {
    // A shortage says nothing of what is there: a hold must not be forgotten for it.
    if (error instanceof KernelError && !explainShortage(error, path)) return undefined;
    throw error;
  }
  if (isMapFd(fd)) return { fd: new SharedFd(fd), info: mapInfo(fd) };
  closeFd(fd);
  return undefined;
}
