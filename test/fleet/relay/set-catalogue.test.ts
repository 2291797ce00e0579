import type { Logger } from "pino";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "#dist/fleet/index.js";
import { SetCatalogue } from "#dist/fleet/relay/set-catalogue.js";
import type { Store } from "#dist/fleet/store/index.js";
import { elementsOf, numbers, openSets, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";

const log = { info() {}, warn() {}, error() {} } as unknown as Logger;

it("is not up to date while the store has what its watch has not told yet", async () => {
  const { store, sets } = await openSets(embedded);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let looks = 0;
  const slow: Store = Object.create(store, {
    range: {
      value: (...args: Parameters<Store["range"]>) => {
        looks++;
        return store.range(...args);
      },
    },
    watch: {
      value: async function* (...args: Parameters<Store["watch"]>) {
        await held;
        yield* store.watch(...args);
      },
    },
  });
  const catalogue = new SetCatalogue(bound(slow, store), systemClock, log);
  onTestFinished(() => catalogue.close());
  catalogue.start();
  const { signal } = new AbortController();
  await catalogue.isUpToDate(signal);
  await sets.put("s", SPEC, [elementsOf(numbers(0, 3))]);
  looks = 0;
  let isUpToDate = false;
  const settled = catalogue.isUpToDate(signal).then(() => {
    isUpToDate = true;
  });
  await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(4), { timeout: 10_000 });
  expect(isUpToDate).toBe(false);
  release();
  await settled;
  expect(catalogue.get("s")?.generation).toBe(1);
});

/** The store's own methods know it by its private fields. */
function bound(face: Store, store: Store): Store {
  return new Proxy(face, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      return Object.hasOwn(target, property) ? value : (value as () => unknown).bind(store);
    },
  });
}
