import { onTestFinished } from "vitest";
import type { Entry, Store, WatchBatch, WatchEvent } from "#dist/fleet/store/index.js";

/** A kind of store, of which the contract's cases ask for fresh ones. */
export interface StoreKind {
  readonly name: string;
  /** An empty store; the case that asked for it closes what it connects. */
  fresh(): Promise<FreshStore>;
}

/** A store that is empty, of a case's own. */
export interface FreshStore {
  /** Another client; of an embedded store, which has one, always the same. */
  connect(): Promise<Store>;
  /** Closes the store and opens it again, where it is this process that has it. */
  reopen?(): Promise<Store>;
  /** Closes all clients and removes the store. */
  dispose(): Promise<void>;
}

/**
 * Opens an empty store for the running test, and removes it after.
 * @param whenFinished of the test's context, where it runs beside others
 */
export async function openFresh(kind: StoreKind, whenFinished = onTestFinished): Promise<Store> {
  const fresh = await kind.fresh();
  whenFinished(() => fresh.dispose());
  return fresh.connect();
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
export const text = (value: Uint8Array): string => Buffer.from(value).toString();

/** Keys and values, for comparing. */
export function contents(entries: readonly Entry[]): Record<string, string> {
  return Object.fromEntries(entries.map(({ key, value }) => [key, text(value)]));
}

/** An event in short: "put a/1=x @7" or "delete a/1 @8". */
export function told(event: WatchEvent): string {
  if (event.type === "delete") return `delete ${event.key} @${event.modRevision}`;
  const { key, value, modRevision } = event.entry;
  return `put ${key}=${text(value)} @${modRevision}`;
}

/** Reads a watch until so many events came; then ends it. */
export async function firstEvents(
  watch: AsyncIterable<WatchBatch>,
  count: number,
): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  if (count === 0) return events;
  for await (const batch of watch) {
    events.push(...batch.events);
    if (events.length >= count) break;
  }
  return events;
}

/** A watch that is read from the beginning on, whatever else the test does. */
export function follow(watch: AsyncIterable<WatchBatch>): {
  readonly events: WatchEvent[];
  readonly ended: Promise<unknown>;
} {
  const events: WatchEvent[] = [];
  const read = async () => {
    for await (const batch of watch) events.push(...batch.events);
    return "ended";
  };
  return { events, ended: read().catch((error) => error) };
}
