import { type ElementShape, slotOffset } from "./element-shape.js";
import type { JsonWriter } from "./json-writer.js";
import type { TypedValues } from "./typed-value.js";

/** One element in both forms. */
export interface TypedElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly jsonKey: string;
  readonly jsonValue: string;
}

/**
 * Writes an element as bpftool does where there are types: in plain output by its types
 * alone, in JSON its bytes and then "formatted" what they say.
 */
export function writeTypedElement(
  json: JsonWriter,
  shape: ElementShape,
  typed: TypedValues,
  element: TypedElement,
  withBytes: boolean,
): void {
  json.startObject();
  if (withBytes) {
    writeBytes(json, shape, element);
    json.name("formatted");
    json.startObject();
    writeFormatted(json, shape, typed, element);
    json.endObject();
  } else {
    writeFormatted(json, shape, typed, element);
  }
  json.endObject();
}

function writeFormatted(
  json: JsonWriter,
  { cpus }: ElementShape,
  typed: TypedValues,
  { jsonKey, jsonValue }: TypedElement,
): void {
  // Keys that are kernel objects are not told again.
  if (typed.hasKeyType && jsonKey !== "") {
    json.name("key");
    typed.writeKey(json, jsonKey);
  }
  if (!cpus) {
    json.name("value");
    typed.writeValue(json, jsonValue);
    return;
  }
  eachCpu(json, cpus, (slot) => typed.writeValue(json, jsonValue, slot));
}

function writeBytes(json: JsonWriter, shape: ElementShape, { key, value }: TypedElement): void {
  json.name("key");
  json.bytes(key);
  if (!shape.cpus) {
    json.name("value");
    json.bytes(value);
    return;
  }
  eachCpu(json, shape.cpus, (slot) => {
    const at = slotOffset(shape, slot);
    json.bytes(value.subarray(at, at + shape.valueSize));
  });
}

function eachCpu(json: JsonWriter, cpus: readonly number[], write: (slot: number) => void): void {
  json.name("values");
  json.startArray();
  for (const [slot, cpu] of cpus.entries()) {
    json.startObject();
    json.member("cpu", cpu);
    json.name("value");
    write(slot);
    json.endObject();
  }
  json.endArray();
}
