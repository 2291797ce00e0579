import type { Elements } from "@bpfmapd/client/proto";
import type { ElementShape } from "./element-shape.js";
import { writeTypedElement } from "./element-typed.js";
import { JsonWriter } from "./json-writer.js";
import type { TypedValues } from "./typed-value.js";

/** Turns the elements of one map into items of a JSON array that is open already. */
export class TypedRenderer {
  readonly #shape: ElementShape;
  readonly #values: TypedValues;
  readonly #withBytes: boolean;
  readonly #json: JsonWriter;
  #parts: string[] = [];

  /** @param options `depth` is that of the array; `withBytes` adds what bpftool's -j adds */
  constructor(
    shape: ElementShape,
    values: TypedValues,
    options: { isPretty: boolean; depth: number; withBytes: boolean },
  ) {
    this.#shape = shape;
    this.#values = values;
    this.#withBytes = options.withBytes;
    const write = (text: string) => void this.#parts.push(text);
    this.#json = new JsonWriter(write, options.isPretty, options.depth);
  }

  /** The text of a chunk of elements, with the comma that separates it from the one before. */
  render({ count, keys, values, jsonKeys, jsonValues }: Elements): string {
    const [keySize, valueSize] = [keys.length / count, values.length / count];
    for (let index = 0; index < count; index++) {
      const element = {
        key: keys.subarray(index * keySize, (index + 1) * keySize),
        value: values.subarray(index * valueSize, (index + 1) * valueSize),
        jsonKey: jsonKeys[index] ?? "",
        jsonValue: jsonValues[index] ?? "",
      };
      writeTypedElement(this.#json, this.#shape, this.#values, element, this.#withBytes);
    }
    const text = this.#parts.join("");
    this.#parts = [];
    return text;
  }
}
