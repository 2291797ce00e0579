import type { ObjectValue } from "@bpfmapd/client/proto";
import type { ElementColumns, ElementRenderer } from "./element-renderer.js";
import { objectData, objectText } from "./object-text.js";

/** Elements whose values are kernel objects, with what they stand for beside the bytes. */
export interface ObjectColumns extends ElementColumns {
  readonly objectValues?: readonly ObjectValue[];
}

/** How the object goes into the text of its element. */
export type PutObject = (element: string, object: ObjectValue) => string;

/** Adds a member "object" to an element's JSON. */
export function putIntoJson(pretty: boolean): PutObject {
  return (element, object) => {
    const data = objectData(object);
    const end = element.lastIndexOf("}");
    const [before, after] = [element.slice(0, end).trimEnd(), element.slice(end)];
    const space = element.slice(before.length, end);
    const member = pretty
      ? `,${space}    "object": ${JSON.stringify(data)}`
      : `,"object":${JSON.stringify(data)}`;
    return `${before}${member}${space}${after}`;
  };
}

/** Adds the object to an element's lines: one line stays one, several lines get more. */
export const putIntoText: PutObject = (element, object) => {
  const text = objectText(object);
  const line = element.trimEnd();
  const isOneLine = !line.includes("\n") && !text.includes("\n");
  return isOneLine ? `${line}  ${text}\n` : `${line}\n${text}\n`;
};

/** An {@link ElementRenderer} for maps of kernel objects, element by element. */
export class ObjectRenderer {
  readonly #renderer: ElementRenderer;
  readonly #put: PutObject;

  constructor(renderer: ElementRenderer, put: PutObject) {
    this.#renderer = renderer;
    this.#put = put;
  }

  /** Yields the text of the elements, one at a time. */
  *render(elements: ObjectColumns): Generator<Uint8Array, void> {
    const { count, keys, values, objectValues = [] } = elements;
    if (objectValues.length === 0) return yield* this.#renderer.render(elements);
    const [keySize, valueSize] = [keys.length / count, values.length / count];
    for (let index = 0; index < count; index++) {
      const one = {
        count: 1,
        keys: keys.subarray(index * keySize, (index + 1) * keySize),
        values: values.subarray(index * valueSize, (index + 1) * valueSize),
      };
      const [text] = [...this.#renderer.render(one)].map((part) => Buffer.from(part).toString());
      yield Buffer.from(this.#put(text ?? "", objectValues[index]!));
    }
  }
}
