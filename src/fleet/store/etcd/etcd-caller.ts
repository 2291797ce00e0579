import { setMaxListeners } from "node:events";
import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Clock } from "../../clock.js";
import type { CallOptions } from "../store.js";
import { cancelled, StoreError, storeClosed, throwIfAborted } from "../store-error.js";
import type { Endpoint } from "./endpoint.js";
import { Endpoints } from "./endpoints.js";
import { etcdFailure } from "./etcd-failure.js";
import type { EtcdStoreOptions } from "./etcd-options.js";
import { Login } from "./login.js";

const DEADLINE_MS = 5_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;

/** One try of a call, on a member with a connection. Throws grpc-js's ServiceErrors or StoreErrors. */
export type Attempt<T> = (
  endpoint: Endpoint,
  token: string | undefined,
  timeoutMs: number,
  signal: AbortSignal | undefined,
) => Promise<T>;

/**
 * Makes calls with a deadline, on whatever member answers, and tries again what may be: where
 * nothing has been sent, where etcd says that it did not take it, and anything that is `safe`.
 */
export class EtcdCaller {
  readonly clock: Clock;
  readonly #endpoints: Endpoints;
  readonly #login: Login;
  readonly #deadlineMs: number;
  /** Aborted when the store is closed. */
  readonly #closed = new AbortController();

  constructor(options: EtcdStoreOptions, clock: Clock) {
    this.clock = clock;
    this.#endpoints = new Endpoints(options, clock);
    this.#login = new Login(options.user);
    // Every call and watch under way listens.
    setMaxListeners(0, this.#closed.signal);
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** A call to etcd. `safe`: doing it twice is like doing it once. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    safe: boolean,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.call(safe, options, (endpoint, token, timeoutMs, signal) =>
      endpoint.unary(method, request, { token, timeoutMs, signal }),
    );
  }

  /** Tries until one attempt succeeds, or fails for good, or the deadline has come. */
  async call<T>(safe: boolean, options: CallOptions, attempt: Attempt<T>): Promise<T> {
    if (this.#closed.signal.aborted) throw storeClosed();
    throwIfAborted(options.signal);
    const ends = joined(this.#closed.signal, options.signal);
    try {
      return await this.#tries(safe, options.deadlineMs ?? this.#deadlineMs, ends.signal, attempt);
    } catch (error) {
      const maybeApplied = error instanceof StoreError && error.maybeApplied;
      if (this.#closed.signal.aborted) throw storeClosed(maybeApplied);
      if (options.signal?.aborted) throw cancelled(options.signal, maybeApplied);
      throw error;
    } finally {
      ends.release();
    }
  }

  /** Goes on to the next member. */
  leave(endpoint: Endpoint): void {
    this.#endpoints.leave(endpoint);
  }

  close(): void {
    this.#closed.abort();
    this.#endpoints.close();
  }

  async #tries<T>(
    safe: boolean,
    deadlineMs: number,
    signal: AbortSignal,
    attempt: Attempt<T>,
  ): Promise<T> {
    const { clock } = this;
    const end = clock.now() + deadlineMs;
    let failed: StoreError | undefined;
    for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(LONGEST_PAUSE_MS, longest * 2)) {
      const endpoint = await this.#connected(end, failed, signal);
      const left = Math.max(1, end - clock.now());
      // What may be repeated leaves time for another member, should this one not answer.
      const timeoutMs = safe && this.#endpoints.count > 1 ? left / 2 : left;
      let token: string | undefined;
      let isSent = false;
      try {
        token = await this.#login.token(endpoint, timeoutMs);
        isSent = true;
        return await attempt(endpoint, token, timeoutMs, signal);
      } catch (thrown) {
        if (signal.aborted) throw cancelled(signal, isSent && !safe);
        if (thrown instanceof StoreError) throw thrown;
        const { error, remedy } = etcdFailure(thrown, endpoint.target);
        const maybeApplied = isSent && error.maybeApplied && !safe;
        failed = new StoreError(error.code, error.message, { cause: thrown, maybeApplied });
        if (remedy === "final" || maybeApplied) throw failed;
        if (remedy === "login") this.#login.forget(token);
        else this.#endpoints.leave(endpoint);
      }
      const pause = longest * (0.5 + clock.random() / 2);
      if (clock.now() + pause >= end) throw failed;
      await clock.sleep(pause, signal);
    }
  }

  /** The reason of the try before is worth more than that nobody answers now. */
  async #connected(
    end: number,
    failed: StoreError | undefined,
    signal: AbortSignal,
  ): Promise<Endpoint> {
    try {
      return await this.#endpoints.connected(end - this.clock.now(), signal);
    } catch (error) {
      if (failed === undefined || signal.aborted) throw error;
      throw failed;
    }
  }
}

/** A signal that is aborted with either; `release` takes its listeners from those that live longer. */
export function joined(
  one: AbortSignal,
  other: AbortSignal | undefined,
): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const signals = other === undefined ? [one] : [one, other];
  for (const signal of signals) {
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  }
  const release = () => {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  };
  return { signal: controller.signal, release };
}
