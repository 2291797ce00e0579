import { expect, test } from "vitest";
import { type SetChange, watchSets } from "#dist/fleet/sets/index.js";
import { put } from "#dist/fleet/store/index.js";
import { bytes, type StoreKind } from "../store-contract/fixture.ts";
import { elementsOf, numbers, openSets, patchOf, SPEC } from "./fixture.ts";

/** A change in short: "s 3", "s deleted". */
function told(change: SetChange): string {
  return change.type === "put"
    ? `${change.name} ${change.manifest.generation}`
    : `${change.name} ${change.type}`;
}

export function watchCases(kind: StoreKind): void {
  test("tells all sets first, then each change", async () => {
    const { sets, store } = await openSets(kind);
    await sets.put("a", SPEC, []);
    await sets.put("b", SPEC, []);
    const stop = new AbortController();
    const watch = watchSets(store, { signal: stop.signal });
    const next = async () => (await watch.next()).value!.map(told);
    expect(await next()).toEqual(["a 1", "b 1"]);
    await sets.put("a", SPEC, [elementsOf(numbers(0, 10))]);
    expect(await next()).toEqual(["a 2"]);
    await sets.delete("b");
    expect(await next()).toEqual(["b deleted"]);
    await store.transact({ success: [put("sets/manifest/c", bytes('{"format":2}'))] });
    expect(await next()).toEqual(["c unreadable"]);
    await sets.patch("a", patchOf([[1, 2]]));
    expect(await next()).toEqual(["a 3"]);
    stop.abort();
    expect((await watch.next()).done).toBe(true);
  });

  test("tells of an empty store that it is empty", async () => {
    const { store } = await openSets(kind);
    const watch = watchSets(store);
    expect((await watch.next()).value).toEqual([]);
    await watch.return(undefined);
  });

  test("one that a compaction has overtaken reads anew, and tells what is other than it told", async () => {
    const { sets, store } = await openSets(kind);
    for (const name of ["same", "changed", "deleted"]) await sets.put(name, SPEC, []);
    let forgets = false;
    const watched = new Proxy(store, {
      get(target, property) {
        if (property === "watch" && !forgets) {
          forgets = true;
          return async function* (...args: Parameters<typeof store.watch>) {
            await sets.patch("changed", patchOf([[1, 1]]));
            await sets.delete("deleted");
            await sets.put("new", SPEC, []);
            const { revision } = await store.get("none");
            await store.compact(revision);
            yield* target.watch(...args);
          };
        }
        const value = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const interruptions: Error[] = [];
    const watch = watchSets(watched, { onInterrupted: (error) => interruptions.push(error) });
    expect((await watch.next()).value!.map(told)).toEqual(["changed 1", "deleted 1", "same 1"]);
    expect((await watch.next()).value!.map(told)).toEqual([
      "changed 2",
      "new 1",
      "deleted deleted",
    ]);
    expect(interruptions).toMatchObject([{ code: "COMPACTED" }]);
    await watch.return(undefined);
  });
}
