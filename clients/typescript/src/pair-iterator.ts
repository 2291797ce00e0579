import type { Elements } from "./gen/bpfmap/v1/element_pb.js";
import { ItemIterator } from "./item-iterator.js";

type Pair = [key: Uint8Array, value: Uint8Array];

/** The elements of chunks, one by one, as views of their columns. */
export class PairIterator extends ItemIterator<Elements, Pair> {
  #keys: Uint8Array = new Uint8Array();
  #values: Uint8Array = new Uint8Array();
  #keySize = 0;
  #valueSize = 0;
  #count = 0;
  #index = 0;

  protected heldItem(): Pair | undefined {
    if (this.#index >= this.#count) return undefined;
    const key = this.#index * this.#keySize;
    const value = this.#index * this.#valueSize;
    this.#index += 1;
    return [
      this.#keys.subarray(key, key + this.#keySize),
      this.#values.subarray(value, value + this.#valueSize),
    ];
  }

  protected hold({ count, keys, values }: Elements): undefined {
    this.#keys = keys;
    this.#values = values;
    this.#keySize = keys.length / count;
    this.#valueSize = values.length / count;
    this.#count = count;
    this.#index = 0;
  }

  protected drop(): void {
    this.#count = 0;
  }
}
