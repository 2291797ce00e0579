import type { Map as BpfMap, ObjectValue } from "@bpfmapd/client/proto";
import type { CliContext } from "./context.js";
import { jsonLayout } from "./format/element-json.js";
import { ElementRenderer } from "./format/element-renderer.js";
import { elementShape } from "./format/element-shape.js";
import { elementTable } from "./format/element-table.js";
import { textLayout } from "./format/element-text.js";
import { writeTypedElement } from "./format/element-typed.js";
import { plainHex } from "./format/hex.js";
import { jsonText } from "./format/json-writer.js";
import { ObjectRenderer, putIntoJson, putIntoText } from "./format/object-renderer.js";
import type { TypedValues } from "./format/typed-value.js";
import type { Data } from "./grammar/data.js";

/** One element, as a command prints it. */
export interface PrintedElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** What the value stands for, in maps of kernel objects. */
  readonly object?: ObjectValue | undefined;
  /** Whether the value is one CPU's, of a per-CPU map. */
  readonly singleValue?: boolean;
  /** What it says by its types, where it is to be printed so. */
  readonly typed?:
    | { readonly values: TypedValues; readonly jsonKey: string; readonly jsonValue: string }
    | undefined;
}

/** Prints one element, as bpftool's lookup does. */
export async function writeElement(
  context: CliContext,
  map: BpfMap,
  element: PrintedElement,
): Promise<void> {
  const shape = elementShape(map, element.singleValue);
  const { typed } = element;
  if (typed) {
    const pretty = context.pretty || !context.json;
    const text = jsonText(pretty, (json) =>
      writeTypedElement(json, shape, typed.values, { ...element, ...typed }, context.json),
    );
    await context.out.write(text);
    return;
  }
  let layout = context.json ? jsonLayout(shape, context.pretty, 0) : textLayout(shape);
  if (context.tables) {
    const table = elementTable(shape, context.style);
    await context.out.write(table.heading);
    layout = table.layout;
  }
  const put = context.json ? putIntoJson(context.pretty) : putIntoText;
  const renderer = new ObjectRenderer(new ElementRenderer(layout), put);
  const objectValues = element.object ? [element.object] : [];
  const columns = { count: 1, keys: element.key, values: element.value, objectValues };
  for (const text of renderer.render(columns)) await context.out.write(text);
}

/** Tells that there is no element, as bpftool does. */
export async function writeNotFound(context: CliContext, key: Data): Promise<void> {
  const keyText = key instanceof Uint8Array ? plainHex(key) : key.json;
  const text = `key:\n${keyText}\n\nNot found\n`;
  await context.out.write(context.json ? "null\n" : text);
}
