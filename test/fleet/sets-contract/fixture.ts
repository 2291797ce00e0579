import { onTestFinished } from "vitest";
import {
  type Elements,
  MapSets,
  type MapSetsOptions,
  type Patch,
  type SetSpec,
} from "#dist/fleet/sets/index.js";
import type { Store } from "#dist/fleet/store/index.js";
import type { FreshStore, StoreKind } from "../store-contract/fixture.ts";

/** What the tests' sets are, unless they say otherwise: keys are numbers, and so are values. */
export const SPEC: SetSpec = {
  ownership: "exclusive",
  drift: "repair",
  map: { name: "routes" },
  selector: {},
  keySize: 4,
  valueSize: 4,
};

/** Values so long that a segment has 14 elements. */
export const LONG: SetSpec = { ...SPEC, valueSize: 8000 };

export type Contents = ReadonlyMap<number, number>;

/** Keys and values of numbers, in the given order. */
export function elementsOf(
  contents: Iterable<readonly [number, number]>,
  { keySize, valueSize }: Pick<SetSpec, "keySize" | "valueSize"> = SPEC,
): Elements {
  const all = [...contents];
  const keys = Buffer.alloc(all.length * keySize);
  const values = Buffer.alloc(all.length * valueSize);
  for (const [index, [key, value]] of all.entries()) {
    keys.writeUInt32BE(key, index * keySize);
    values.writeUInt32BE(value, index * valueSize);
  }
  return { count: all.length, keys, values };
}

/** A patch of numbers. */
export function patchOf(
  puts: Iterable<readonly [number, number]>,
  removals: Iterable<number> = [],
  spec: SetSpec = SPEC,
): Patch {
  const { count, keys } = elementsOf(
    [...removals].map((key) => [key, 0] as const),
    spec,
  );
  return { puts: elementsOf(puts, spec), removals: { count, keys } };
}

/** Elements as a Map, in the order they came. */
export function contentsOf(
  chunks: Iterable<Elements>,
  { keySize, valueSize }: Pick<SetSpec, "keySize" | "valueSize"> = SPEC,
): Map<number, number> {
  const contents = new Map<number, number>();
  for (const { count, keys, values } of chunks) {
    const key = Buffer.from(keys.buffer, keys.byteOffset, keys.length);
    const value = Buffer.from(values.buffer, values.byteOffset, values.length);
    for (let index = 0; index < count; index++) {
      contents.set(key.readUInt32BE(index * keySize), value.readUInt32BE(index * valueSize));
    }
  }
  return contents;
}

/** The contents of a set, now or at a generation, in the order it gives them. */
export async function readSet(
  sets: MapSets,
  name: string,
  generation?: number,
): Promise<Map<number, number>> {
  const set = await sets.get(name, { generation });
  const chunks: Elements[] = [];
  for await (const chunk of sets.read(set)) chunks.push(chunk);
  return contentsOf(chunks, set.manifest);
}

/** In the order of keys, as a set gives them. */
export function sorted(contents: Contents): Map<number, number> {
  return new Map([...contents].sort(([a], [b]) => a - b));
}

/** Numbers from..to with a value made of each. */
export function* numbers(from: number, to: number, value = (key: number) => key) {
  for (let key = from; key < to; key++) yield [key, value(key)] as const;
}

/** A store that is empty, for the running test, and sets on it. */
export async function openSets(
  kind: StoreKind,
  options?: MapSetsOptions,
): Promise<{ readonly fresh: FreshStore; readonly store: Store; readonly sets: MapSets }> {
  const fresh = await kind.fresh();
  onTestFinished(() => fresh.dispose());
  const store = await fresh.connect();
  return { fresh, store, sets: new MapSets(store, options) };
}

/** The same store with something done around each transaction. */
export function aroundTransactions(store: Store, around: AroundTransaction): Store {
  return new Proxy(store, {
    get(target, property) {
      if (property === "transact") {
        return (...args: Parameters<Store["transact"]>) =>
          around(() => target.transact(...args), args[0]);
      }
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

type AroundTransaction = (
  transact: () => ReturnType<Store["transact"]>,
  transaction: Parameters<Store["transact"]>[0],
) => ReturnType<Store["transact"]>;

/** Whether a transaction puts a manifest in force. */
export function isCommit({ success = [] }: Parameters<Store["transact"]>[0]): boolean {
  return success.some(({ do: what, key }) => what === "put" && key.startsWith("sets/manifest/"));
}
