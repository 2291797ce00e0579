import type { Map as BpfMap } from "@bpfmapd/client/proto";
import type { CliContext } from "./context.js";
import { jsonLayout } from "./format/element-json.js";
import { ElementRenderer } from "./format/element-renderer.js";
import { elementShape } from "./format/element-shape.js";
import { elementTable } from "./format/element-table.js";
import { textLayout } from "./format/element-text.js";
import { plainHex } from "./format/hex.js";

/** One element, as a command prints it. */
export interface PrintedElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Whether the value is one CPU's, of a per-CPU map. */
  readonly singleValue?: boolean;
}

/** Prints one element, as bpftool's lookup does. */
export async function writeElement(
  context: CliContext,
  map: BpfMap,
  element: PrintedElement,
): Promise<void> {
  const shape = elementShape(map, element.singleValue);
  let layout = context.json ? jsonLayout(shape, context.pretty, 0) : textLayout(shape);
  if (context.tables) {
    const table = elementTable(shape, context.style);
    await context.out.write(table.heading);
    layout = table.layout;
  }
  const renderer = new ElementRenderer(layout);
  const columns = { count: 1, keys: element.key, values: element.value };
  for (const text of renderer.render(columns)) await context.out.write(text);
}

/** Tells that there is no element, as bpftool does. */
export async function writeNotFound(context: CliContext, key: Uint8Array): Promise<void> {
  const text = `key:\n${plainHex(key)}\n\nNot found\n`;
  await context.out.write(context.json ? "null\n" : text);
}
