import { type KeyRange, keysUnder } from "../store/index.js";
import { invalidField } from "./set-error.js";

const MANIFESTS = "sets/manifest/";
const SEGMENTS = "sets/segment/";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Where the store has what of map sets. */
export const setKeys = {
  /** The set's manifest. */
  manifest: (name: string): string => MANIFESTS + name,
  manifests: (): KeyRange => keysUnder(MANIFESTS),
  nameOfManifest: (key: string): string => key.slice(MANIFESTS.length),
  /** The manifest that an earlier generation had, last. */
  past: (name: string, generation: number): string =>
    `sets/past/${name}/${String(generation).padStart(16, "0")}`,
  pasts: (name: string): KeyRange => keysUnder(`sets/past/${name}/`),
  segment: (name: string, hash: string): string => `${SEGMENTS}${name}/${hash}`,
  segments: (name: string): KeyRange => keysUnder(`${SEGMENTS}${name}/`),
  allSegments: (): KeyRange => keysUnder(SEGMENTS),
  /** Name of the set and hash of a segment's key. */
  splitSegment(key: string): { name: string; hash: string } {
    const [name = "", hash = ""] = key.slice(SEGMENTS.length).split("/");
    return { name, hash };
  },
  /** Written whenever segments of the set are collected: see `collector.ts`. */
  collected: (name: string): string => `sets/collected/${name}`,
};

/** Whether a set can have this name. */
export function isSetName(name: string): boolean {
  return NAME.test(name);
}

/** Refuses what cannot be a set's name. */
export function checkSetName(name: string): void {
  if (isSetName(name)) return;
  throw invalidField(
    "name",
    `${JSON.stringify(name.slice(0, 80))} is not 1 to 63 letters, digits, ".", "_" and "-", the first a letter or digit`,
  );
}
