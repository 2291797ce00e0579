/** How far a walk has come, where the kernel may send it back to the start. */
export interface WalkProgress {
  /** Whether the walk meets a key for the first time; it then has passed it. */
  advance(keys: Buffer, at: number): boolean;
  /** How often the walk went back to what it had passed. */
  readonly restarts: number;
  /** Memory that grows with what it has passed, in bytes. */
  readonly bytes: number;
}
