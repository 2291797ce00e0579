import type { Logger } from "pino";
import { expect, it } from "vitest";
import { type Store, StoreError, systemClock } from "#dist/fleet/index.js";
import { LeasedKeys } from "#dist/fleet/members/leased-keys.js";
import { gatherWarnings } from "../support/warnings.ts";

const log = { warn() {} } as unknown as Logger;

it("gives many keys up while the store is away, without a warning of the runtime", async () => {
  const warnings = gatherWarnings();
  let isAway = false;
  const store = {
    grantLease: async () => ({ id: 1n, seconds: 10, revision: 1n }),
    keepLease: () => ({ id: 1n, lost: new AbortController().signal, stop() {} }),
    revokeLease: async () => ({ revision: 1n }),
    async transact() {
      if (isAway) throw new StoreError("UNAVAILABLE", "away");
      return { succeeded: true, results: [], revision: 1n };
    },
  } as unknown as Store;
  const keys = new LeasedKeys(store, 10, systemClock, log);
  const { signal } = new AbortController();
  const held = await Promise.all(
    Array.from({ length: 50 }, (_, index) => keys.hold(`key/${index}`, new Uint8Array(), signal)),
  );
  isAway = true;
  for (const one of held) one.release();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await keys.close();
  expect(warnings).toEqual([]);
});
