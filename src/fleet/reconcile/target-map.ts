import type { ElementSizes, Elements } from "../sets/index.js";

/** What a map is like that a set is for. */
export interface TargetFacts extends ElementSizes {
  /** Another one where the map is another, such as one that was made anew under its name. */
  readonly identity: string;
  /** For people, such as "map routes (id 7)". */
  readonly label: string;
  /** Elements that it has room for. */
  readonly capacity: number;
  /** Whether it evicts elements where it is full, instead of refusing new ones. */
  readonly evicts: boolean;
  /** Whether all of it is replaced in one step, so that nothing is ever written by itself. */
  readonly isAtomic: boolean;
}

/** How a map differs from what a set wants of it, in elements. */
export interface Difference {
  /** Elements of the set that the map does not have. */
  readonly missing: number;
  /** Elements that have another value in the map. */
  readonly changed: number;
  /** Elements that the map has and the set has not; 0 where others may have some there. */
  readonly extra: number;
}

/** Keys in a column. */
export type Keys = Pick<Elements, "count" | "keys">;

/**
 * A map, as a reconciler uses it. Elements come in the order of their keys, each key once. Every
 * method throws where the map is not there, and what is not let happen by policy.
 */
export interface TargetMap {
  describe(signal: AbortSignal): Promise<TargetFacts>;

  /** Elements that it has now. */
  count(signal: AbortSignal): Promise<number>;

  /**
   * Compares and writes nothing. Throws a FullError where it has no room for what is missing.
   * @param scope whether elements count that are not among the desired ones
   */
  compare(
    desired: AsyncIterable<Elements>,
    scope: "all" | "own",
    signal: AbortSignal,
  ): Promise<Difference>;

  /** Makes the contents equal to the desired ones: puts before removals, as far as there is room. */
  replace(desired: AsyncIterable<Elements>, signal: AbortSignal): Promise<void>;

  /** Adds and changes elements. Throws a FullError where there is no room. */
  put(elements: AsyncIterable<Elements>, signal: AbortSignal): Promise<void>;

  /** Removes elements; those that are not there do not matter. */
  remove(keys: AsyncIterable<Keys>, signal: AbortSignal): Promise<void>;
}

/** A map has no room. */
export class FullError extends Error {
  override readonly name = "FullError";
}
