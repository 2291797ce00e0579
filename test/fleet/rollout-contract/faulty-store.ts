import { type Store, StoreError } from "#dist/fleet/store/index.js";

/** What becomes of the next transaction. */
export type Fault =
  /** This process dies before it is sent. */
  | "diesBefore"
  /** It is done, and this process dies before it knows. */
  | "diesAfter"
  /** It is not done, and nobody knows. */
  | "lost"
  /** It is done, and nobody knows. */
  | "answerLost";

/** Thrown where the process has died. */
export class Died extends Error {}

/** A process's own connection to a store, which may break under a transaction. */
export class FaultyConnection {
  /** What becomes of the next transaction; undefined where all is well. */
  fault: Fault | undefined;
  readonly store: Store;

  constructor(store: Store, fault?: Fault) {
    this.fault = fault;
    const transact: Store["transact"] = (...args) => this.#transact(store, args);
    this.store = new Proxy(store, {
      get(target, name) {
        if (name === "transact") return transact;
        const member = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  async #transact(store: Store, args: Parameters<Store["transact"]>) {
    const { fault } = this;
    this.fault = undefined;
    if (fault === undefined) return store.transact(...args);
    if (fault === "diesBefore") throw new Died();
    if (fault !== "lost") await store.transact(...args);
    if (fault === "diesAfter") throw new Died();
    throw new StoreError("UNAVAILABLE", "the connection broke", { maybeApplied: true });
  }
}
