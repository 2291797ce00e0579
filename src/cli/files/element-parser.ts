/** Turns the bytes of a file, block by block, into elements for a chunk builder. */
export interface ElementParser {
  /** Adds the elements that the block completes. */
  push(block: Buffer): void;
  /** The file has ended: adds what is left, or refuses a file that was cut. */
  end(): void;
}
