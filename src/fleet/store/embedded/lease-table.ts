/** A lease as the embedded store keeps it. */
export interface Lease {
  readonly id: bigint;
  /** Time to live, in seconds. */
  readonly seconds: number;
  /** When it runs out, by the store's clock, in milliseconds. */
  expiresAt: number;
  /** The keys that go with it. */
  readonly keys: Set<string>;
}

/** All leases, and which keys go with them. */
export class LeaseTable {
  readonly #leases = new Map<bigint, Lease>();

  /** Adds a lease, without keys. */
  add(id: bigint, seconds: number, expiresAt: number): void {
    this.#leases.set(id, { id, seconds, expiresAt, keys: new Set() });
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  /** A lease that has not run out. */
  live(id: bigint, now: number): Lease | undefined {
    const lease = this.#leases.get(id);
    return lease !== undefined && lease.expiresAt > now ? lease : undefined;
  }

  remove(id: bigint): void {
    this.#leases.delete(id);
  }

  /** Notes that a key goes with another lease than before; 0 is for none. */
  move(key: string, before: bigint, after: bigint): void {
    this.#leases.get(before)?.keys.delete(key);
    this.#leases.get(after)?.keys.add(key);
  }

  /** The leases that have run out. */
  expired(now: number): Lease[] {
    return [...this.#leases.values()].filter(({ expiresAt }) => expiresAt <= now);
  }

  /** When the first of them runs out; Infinity where there is none. */
  get nextExpiry(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of this.#leases.values()) next = Math.min(next, expiresAt);
    return next;
  }
}
