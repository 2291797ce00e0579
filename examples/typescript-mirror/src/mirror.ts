import { setTimeout as sleep } from "node:timers/promises";
import type { MapHandle, WatchEvent } from "@bpfmapd/client";
import { LoadStrategy } from "@bpfmapd/client/proto";
import { Snapshot } from "./snapshot.js";
import { openTarget, type Place, type Target } from "./target.js";

const PAUSE_MS = 1_000;
/** The longest that the target is not looked at. */
const LOOK_MS = 2_000;
/** Changes under way to the target at the most. */
const MOST_PENDING = 8_192;

/**
 * Keeps a map of the target host equal to one of the source host: first the contents, in one
 * load that replaces what is there, then the changes. Whatever goes wrong, there is one way to
 * go on, which is to begin anew; so nothing has to be remembered. The watch by itself outlives
 * restarts of the source, and says where its contents have to be taken anew.
 */
export class Mirror {
  readonly #source: MapHandle;
  readonly #target: Place;
  readonly #log: (line: string) => void;

  constructor(source: Place, target: Place, log: (line: string) => void) {
    this.#source = source.client.map({ pinPath: source.pinPath });
    this.#target = target;
    this.#log = log;
  }

  /** Mirrors until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for (let said = ""; !signal.aborted; ) {
      try {
        await this.#attempt(signal);
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        if (message !== said) this.#log(`starting over: ${message}`);
        said = message;
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const target = await openTarget(this.#target, await this.#source.get());
    // Ends the watch where the target fails.
    const failing = new AbortController();
    const ending = AbortSignal.any([signal, failing.signal]);
    const watch = this.#source.watch({
      follow: true,
      bookmarkIntervalMs: LOOK_MS,
      signal: ending,
      onLost: ({ message }) => this.#log(`the source is away: ${message}`),
    });
    const events = watch[Symbol.asyncIterator]();
    try {
      for (;;) {
        await this.#copy(target, events);
        await this.#follow(target, events, failing);
      }
    } catch (error) {
      throw failing.signal.aborted ? failing.signal.reason : error;
    } finally {
      await events.return?.();
    }
  }

  /** Makes the target equal to the snapshot that the events begin with. */
  async #copy(target: Target, events: AsyncIterator<WatchEvent>): Promise<void> {
    const snapshot = new Snapshot(events);
    const done = await target.map.load(snapshot.elements(), { strategy: LoadStrategy.REPLACE });
    for (const key of snapshot.deleted()) await target.map.delete(key);
    this.#log(
      `contents: ${done.received} elements, ${done.added} added, ${done.changed} changed, ${done.removed} removed`,
    );
  }

  /** Applies changes until the source starts over. */
  async #follow(
    target: Target,
    events: AsyncIterator<WatchEvent>,
    failing: AbortController,
  ): Promise<void> {
    let pending: Promise<unknown>[] = [];
    const fail = (error: unknown) => failing.abort(error);
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) throw new Error("the source's watch ended");
      switch (event.type) {
        case "put":
          pending.push(target.batched.update(event.key, event.value));
          break;
        case "delete":
          pending.push(target.batched.delete(event.key));
          break;
        case "bookmark":
          // The target's map may have been replaced while there was nothing to write.
          pending.push(target.check());
          break;
        case "created":
          // Another map may have come that has other sizes.
          if (!target.fits(event.created.map)) throw new Error("the source's map is another one");
          break;
        case "resync":
          await Promise.all(pending);
          this.#log("the source starts over");
          return;
      }
      pending.at(-1)?.catch(fail);
      if (event.type === "bookmark" || pending.length >= MOST_PENDING) {
        await Promise.all(pending);
        pending = [];
      }
    }
  }
}
