import { describe } from "vitest";
import type { StoreKind } from "../store-contract/fixture.ts";
import { collectionCases } from "./collection.ts";
import { modelCases } from "./model.ts";
import { patchCases } from "./patches.ts";
import { putCases } from "./puts.ts";
import { rolloutCases } from "./rollouts.ts";
import { watchCases } from "./watches.ts";

/** What map sets must do on every store. */
export function setsContract(kind: StoreKind): void {
  describe(`map sets on ${kind.name}`, () => {
    describe("puts", () => putCases(kind));
    describe("patches", () => patchCases(kind));
    describe("collection", () => collectionCases(kind));
    describe("watches", () => watchCases(kind));
    describe("rollouts", () => rolloutCases(kind));
    describe("random steps", () => modelCases(kind));
  });
}
