import { onTestFinished } from "vitest";
import {
  type ElementSource,
  openSource,
  type WalkOptions,
} from "#dist/maps/scan/element-source.js";
import type { ScanTarget } from "#dist/maps/scan/scan-target.js";
import { withoutBatches } from "./kernel-map.js";

/** The ways to walk a map: with the kernel's batch calls, and without them. */
export const WALKS = ["by batch", "by key"] as const;
export type WalkKind = (typeof WALKS)[number];

const OPTIONS: WalkOptions = { stretch: 64, dedupMemoryBytes: 64 << 20, maxRestarts: 100 };

/** A walk that is released when the test ends. */
export function startWalk(
  kind: WalkKind,
  target: ScanTarget,
  options: Partial<WalkOptions> = {},
): ElementSource {
  const asked = kind === "by batch" ? target : withoutBatches(target);
  const source = openSource(asked, { ...OPTIONS, ...options });
  onTestFinished(() => source.release());
  return source;
}

/** The elements of the stretch that a walk stands on. */
export function stretchOf(source: ElementSource, target: ScanTarget): [Buffer, Buffer][] {
  const { keySize, valueStride } = target.layout;
  return Array.from({ length: source.count }, (_, index) => [
    Buffer.from(source.keys.subarray(index * keySize, (index + 1) * keySize)),
    Buffer.from(source.values.subarray(index * valueStride, (index + 1) * valueStride)),
  ]);
}

/** Walks to the end; `between` runs after each stretch. */
export function walk(
  source: ElementSource,
  target: ScanTarget,
  between: (elements: [Buffer, Buffer][]) => void = () => {},
): [Buffer, Buffer][] {
  const all: [Buffer, Buffer][] = [];
  while (source.next()) {
    const elements = stretchOf(source, target);
    all.push(...elements);
    between(elements);
  }
  return all;
}
