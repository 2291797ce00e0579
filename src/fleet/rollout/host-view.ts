/** A host that the set's selector matches, as a relay knows it. */
export interface HostView {
  readonly id: string;
  /** Whether it has a session. */
  readonly isReachable: boolean;
  /** The generation that it has told to have applied, of this set; 0 for none. */
  readonly applied: number;
  /** Why it could not apply a generation, where that is the last that it tried. */
  readonly error?: { readonly generation: number; readonly message: string } | undefined;
  /** Whether others have changed its map since it applied the generation. */
  readonly hasDrifted: boolean;
}

/** What a rollout is decided by. */
export interface FleetView {
  /** All hosts that match: one that is not among them has left. */
  readonly hosts: readonly HostView[];
  /**
   * Numbers of the counter gates, by their names, each summed over the hosts that were told of
   * the generation; absent where it is not known.
   */
  readonly counters: ReadonlyMap<string, number>;
}
