import type { Element, WatchEvent } from "@bpfmapd/client";

/** The contents that a watch begins with. */
export class Snapshot {
  readonly #events: AsyncIterator<WatchEvent>;
  /** Keys that went while the snapshot was on its way, in hexadecimal. */
  readonly #deleted = new Set<string>();

  /** Reads the events up to `synced`. */
  constructor(events: AsyncIterator<WatchEvent>) {
    this.#events = events;
  }

  /**
   * The elements. Throws where the source starts over meanwhile, which ends the load that
   * they are read by: it then removes nothing.
   */
  async *elements(): AsyncGenerator<Element> {
    for (;;) {
      const { value: event, done } = await this.#events.next();
      if (done) throw new Error("the source's watch ended");
      if (event.type === "synced") return;
      if (event.type === "resync") throw new Error("the source started over");
      if (event.type === "put") {
        this.#deleted.delete(Buffer.from(event.key).toString("hex"));
        yield [event.key, event.value];
      }
      if (event.type === "delete") this.#deleted.add(Buffer.from(event.key).toString("hex"));
    }
  }

  /** Keys that are to be deleted after the load. */
  *deleted(): Generator<Uint8Array> {
    for (const key of this.#deleted) yield Buffer.from(key, "hex");
  }
}
