import { describe } from "vitest";
import type { StoreKind } from "../store-contract/fixture.ts";
import { modelCases } from "./model-cases.ts";
import { storeCases } from "./store-cases.ts";

/** What rollouts must do on every store. */
export function rolloutContract(kind: StoreKind): void {
  describe(`rollouts on ${kind.name}`, () => {
    describe("in the store", () => storeCases(kind));
    describe("random steps", () => modelCases(kind));
  });
}
