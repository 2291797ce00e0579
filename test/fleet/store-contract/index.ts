import { describe } from "vitest";
import { compactionCases } from "./compaction.ts";
import type { StoreKind } from "./fixture.ts";
import { leaseCases } from "./leases.ts";
import { limitCases } from "./limits.ts";
import { modelCases } from "./model-cases.ts";
import { readCases } from "./reads.ts";
import { transactionCases } from "./transactions.ts";
import { watchCases } from "./watches.ts";

/** What every store must do. */
export function storeContract(kind: StoreKind): void {
  describe(`the store on ${kind.name}`, () => {
    describe("reads", () => readCases(kind));
    describe("transactions", () => transactionCases(kind));
    describe("limits", () => limitCases(kind));
    describe("watches", () => watchCases(kind));
    describe("compaction", () => compactionCases(kind));
    // They wait for time to pass: together it passes once.
    describe.concurrent("leases", () => leaseCases(kind));
    describe("random operations", () => modelCases(kind));
  });
}
