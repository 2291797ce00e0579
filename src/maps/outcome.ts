import type { Errno } from "../kernel/index.js";
import type { ElementFailure, OnError } from "./columns.js";
import { fieldError, type MapError } from "./map-error.js";

/** What became of a call on several elements. */
export interface Applied {
  readonly applied: number;
  readonly failures: ElementFailure[];
}

/** The map of a call, as far as errors tell of it. */
export interface OutcomeMap {
  readonly label: string;
  explain(errno: Errno, operation: string): MapError;
}

/** What the caller wants of errors, and whether it asked for BPF_F_LOCK. */
export interface OutcomeOptions {
  readonly onError: OnError;
  readonly lock?: boolean;
}

/** Keeps the count of a call on several elements, and its failures. */
export class Outcome implements Applied {
  applied = 0;
  readonly failures: ElementFailure[] = [];
  readonly #map: OutcomeMap;
  readonly #operation: string;
  readonly #options: OutcomeOptions;

  constructor(map: OutcomeMap, operation: string, options: OutcomeOptions) {
    this.#map = map;
    this.#operation = operation;
    this.#options = options;
  }

  /** Index of the element that comes next. */
  get next(): number {
    return this.applied + this.failures.length;
  }

  succeed(count: number): void {
    this.applied += count;
  }

  /** Notes the failure of the next element, or ends the call with it. */
  fail(errno: Errno): void {
    const index = this.next;
    const error =
      errno === "EINVAL" && this.#options.lock
        ? fieldError(
            "FIELD_INVALID",
            "lock",
            `the values of ${this.#map.label} have no bpf_spin_lock`,
          )
        : this.#map.explain(errno, this.#operation);
    const concernsElement = /^(ELEMENT_|OBJECT_|MAP_FULL)/.test(error.reason);
    // A reason that lies in the map would repeat itself for every element.
    if (this.#options.onError === "stop" || !concernsElement) {
      throw error.with({ index: String(index), applied: String(this.applied) });
    }
    this.failures.push({ index, reason: error.reason });
  }
}
