import { type ElementLayout, LayoutBuilder } from "./element-layout.js";
import { type ElementShape, slotOffset } from "./element-shape.js";
import { JsonWriter } from "./json-writer.js";

/**
 * The layout of elements in bpftool's JSON: {"key":[…],"value":[…]}, for per-CPU maps
 * {"key":[…],"values":[{"cpu":0,"value":[…]},…]}.
 *
 * `depth` is that of the array they stand in; its elements then begin with the comma
 * that separates them, which the first one must be written without. At depth 0 it is
 * a document of its own.
 */
export function jsonLayout(shape: ElementShape, pretty: boolean, depth: number): ElementLayout {
  const layout = new LayoutBuilder();
  const json = new JsonWriter((text) => layout.text(text), pretty, depth);
  if (depth > 0) json.wroteItems();
  json.startObject();
  json.name("key");
  json.byteArray(shape.keySize, (index) => layout.hex("keys", index));
  if (shape.cpus === undefined) {
    json.name("value");
    json.byteArray(shape.valueSize, (index) => layout.hex("values", index));
  } else {
    json.name("values");
    json.startArray();
    for (const [slot, cpu] of shape.cpus.entries()) {
      const offset = slotOffset(shape, slot);
      json.startObject();
      json.member("cpu", cpu);
      json.name("value");
      json.byteArray(shape.valueSize, (index) => layout.hex("values", offset + index));
      json.endObject();
    }
    json.endArray();
  }
  json.endObject();
  if (depth === 0) json.finish();
  return layout.build();
}
