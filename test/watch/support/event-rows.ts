import type { WatchEvents, WatchWriter } from "@bpfmapd/client/proto";

/** One change of a message. */
export interface EventRow {
  readonly key: string;
  /** The value in hex, "" with keys only; undefined for a delete. */
  readonly shown: string | undefined;
  /** The value before, where it is told. */
  readonly previous: string | undefined;
  /** Who did it, where that is told. */
  readonly writer: WatchWriter | undefined;
}

/** The changes of a message, puts first; calls back for sizes that do not fit together. */
export function eventRows(
  events: WatchEvents,
  keySize: number,
  stride: number,
  onMisfit: (why: string) => void,
): EventRow[] {
  const puts = columns(events.puts);
  const deletes = columns(events.deletes);
  const count = puts.count + deletes.count;
  const previous = Buffer.from(events.previous);
  if (count === 0) onMisfit("events without any");
  if (puts.keys.length !== puts.count * keySize) onMisfit("puts.keys has another size");
  if (puts.values.length !== puts.count * stride) onMisfit("puts.values has another size");
  if (deletes.keys.length !== deletes.count * keySize) onMisfit("deletes.keys has another size");
  if (deletes.values.length > 0) onMisfit("deletes have values");
  if (previous.length > 0 && previous.length !== count * stride) {
    onMisfit("previous has another size");
  }
  if (events.writers.length > 0 && events.writers.length !== count) {
    onMisfit("writers are not one for each change");
  }
  return Array.from({ length: count }, (_, index) => {
    const isPut = index < puts.count;
    const row = isPut ? index : index - puts.count;
    const isPresent = ((events.previousPresent[index >> 3] ?? 0) >> (index & 7)) & 1;
    return {
      key: hexRow((isPut ? puts : deletes).keys, row, keySize),
      shown: isPut ? hexRow(puts.values, row, stride) : undefined,
      previous: isPresent ? hexRow(previous, index, stride) : undefined,
      writer: events.writers[index],
    };
  });
}

function columns(elements: WatchEvents["puts"]) {
  return {
    count: elements?.count ?? 0,
    keys: Buffer.from(elements?.keys ?? []),
    values: Buffer.from(elements?.values ?? []),
  };
}

function hexRow(column: Buffer, row: number, size: number): string {
  return column.toString("hex", row * size, (row + 1) * size);
}
