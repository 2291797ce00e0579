import type { Records } from "./gen/bpfmap/v1/record_pb.js";
import { ItemIterator } from "./item-iterator.js";
import type { LostEvent, RecordBatch, RecordEvent } from "./records.js";

/** The records of batches, one by one, and what was lost between them. */
export class RecordIterator extends ItemIterator<RecordBatch | LostEvent, RecordEvent | LostEvent> {
  #records: Records | undefined;
  #index = 0;
  #offset = 0;

  protected heldItem(): RecordEvent | undefined {
    const records = this.#records;
    const index = this.#index;
    const size = records?.sizes[index];
    if (records === undefined || size === undefined) return undefined;
    const start = this.#offset;
    this.#index += 1;
    this.#offset += size;
    return {
      type: "record",
      sequence: records.firstSequence + BigInt(index),
      data: records.data.subarray(start, start + size),
      cpu: records.cpus[index],
      timeNs: records.timesNs[index],
    };
  }

  protected hold(event: RecordBatch | LostEvent): LostEvent | undefined {
    if (event.type === "lost") return event;
    this.#records = event.records;
    this.#index = 0;
    this.#offset = 0;
    return undefined;
  }

  protected drop(): void {
    this.#records = undefined;
  }
}
