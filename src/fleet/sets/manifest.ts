import { z } from "zod";
import type { ElementSizes } from "./elements.js";
import { SetError } from "./set-error.js";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const generation = z.int().positive();

/**
 * What becomes of elements of a map that the set does not have:
 * - exclusive: they are removed;
 * - merge: only those are removed that the set had in an earlier generation;
 * - additive: none is ever removed.
 */
export const OWNERSHIPS = ["exclusive", "merge", "additive"] as const;
export type Ownership = (typeof OWNERSHIPS)[number];

/** Whether what others have changed in a map is repaired, or only told. */
export const DRIFT_ACTIONS = ["repair", "report"] as const;
export type DriftAction = (typeof DRIFT_ACTIONS)[number];

/** A part of an index or of a layer, by the SHA-256 of its bytes. */
const part = z.object({
  hash,
  /** Elements in it, or in what it names. */
  count,
  /** Its first key, in hexadecimal. */
  first: z.string(),
});

const layer = z.object({
  /** It has the changes of these generations, both of them included. */
  from: generation,
  to: generation,
  /** Changes in all segments. */
  count,
  segments: z.array(part),
});

const manifest = z.object({
  format: z.literal(1),
  name: z.string(),
  /** Another one whenever a set of the name is made anew. */
  id: z.string(),
  generation,
  /** Of the write that made the generation, so that one who was cut off finds out if it was his. */
  write: z.string(),
  ownership: z.enum(OWNERSHIPS),
  drift: z.enum(DRIFT_ACTIONS),
  /** The map that the set is for, as the contract's JSON. */
  map: z.json(),
  /** The hosts that the set is for, as the contract's JSON. */
  selector: z.json(),
  keySize: z.int().positive(),
  valueSize: count,
  /** Elements of the generation. */
  count,
  /** Of the history of contents: where two are equal, so are the contents. */
  digest: hash,
  /** All elements as of an earlier generation, or this one: pages of an index of segments. */
  base: z.object({ generation, count, pages: z.array(part) }),
  /** Changes, the oldest first. Those of the base's generations serve hosts that are behind. */
  layers: z.array(layer),
  /** Who made the generation, as the contract's JSON: hosts ask whether that one may. */
  writer: z.json().default(null),
  /**
   * Id of the rollout that says which hosts are to have the generation; "" for all of them. Who
   * does not know that rollout yet must not tell the generation to anyone.
   */
  rollout: z.string().default(""),
  /** When the generation was made, by the clock of its writer: milliseconds since 1970. */
  madeAt: z.number(),
});

/** What a set is at a generation; its contents are named, not in it. Plain data. */
export type Manifest = z.infer<typeof manifest>;
/** Changes of one or more generations. */
export type Layer = z.infer<typeof layer>;
/** A segment of a layer, or a page of the index. */
export type Part = z.infer<typeof part>;
/** What is kept of the contract's messages. */
export type Json = z.infer<ReturnType<typeof z.json>>;

/** What a controller says of a set, its contents aside. */
export interface SetSpec extends ElementSizes {
  readonly ownership: Ownership;
  readonly drift: DriftAction;
  readonly map: Json;
  readonly selector: Json;
}

/** The bytes of a manifest, as store and hosts keep it. */
export function encodeManifest(value: Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Reads a manifest; DAMAGED where it is none, or one of a newer version. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  try {
    return manifest.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new SetError(
      "DAMAGED",
      "the manifest of a map set cannot be read: it is broken, or of a newer version",
      { cause },
    );
  }
}

/** Layers whose changes the base does not have. */
export function liveLayers({ base, layers }: Manifest): Layer[] {
  return layers.filter(({ to }) => to > base.generation);
}

/**
 * Layers that lead from an earlier generation to the manifest's, the oldest first; undefined
 * where they are no longer known, so that contents have to be compared.
 */
export function layersSince(
  { generation, layers }: Manifest,
  earlier: number,
): Layer[] | undefined {
  if (earlier === generation) return [];
  const needed = layers.filter(({ to }) => to > earlier);
  const isWhole =
    needed.length > 0 &&
    needed[0]!.from <= earlier + 1 &&
    needed.at(-1)!.to === generation &&
    needed.every((one, index) => index === 0 || one.from === needed[index - 1]!.to + 1);
  return isWhole ? needed : undefined;
}
