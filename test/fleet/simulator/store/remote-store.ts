import type { KeptLease, Store, WatchBatch, WatchQuery } from "#dist/fleet/store/index.js";
import { StoreError } from "#dist/fleet/store/index.js";
import { LeaseKeeper } from "#dist/fleet/store/kept-lease.js";
import { cancelled, throwIfAborted } from "#dist/fleet/store/store-error.js";
import type { Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import type { StoreMachine } from "./store-machine.ts";

const DEADLINE_MS = 5_000;
const REFRESH_MS = 5_000;
const KEEPALIVE_MS = 15_000;

type Operation<T> = (store: Store) => Promise<T>;
type Options = { readonly signal?: AbortSignal; readonly deadlineMs?: number };

/**
 * The store as a process on another machine has it: calls have a deadline, what may be done twice
 * is tried again, and a write that was cut off says that it may have been done.
 */
export class RemoteStore implements Store {
  readonly #world: World;
  readonly #process: Process;
  readonly #server: StoreMachine;

  constructor(world: World, process: Process, server: StoreMachine) {
    this.#world = world;
    this.#process = process;
    this.#server = server;
  }

  get(key: string, { revision, ...options }: Parameters<Store["get"]>[1] = {}) {
    return this.#call(true, (store) => store.get(key, { revision }), options);
  }

  range(query: Parameters<Store["range"]>[0], options: Options = {}) {
    return this.#call(true, (store) => store.range(query), options);
  }

  transact(transaction: Parameters<Store["transact"]>[0], options: Options = {}) {
    return this.#call(false, (store) => store.transact(transaction), options);
  }

  compact(revision: bigint, options: Options = {}) {
    return this.#call(false, (store) => store.compact(revision), options);
  }

  grantLease(seconds: number, options: Options = {}) {
    return this.#call(true, (store) => store.grantLease(seconds), options);
  }

  refreshLease(id: bigint, options: Options = {}) {
    return this.#call(true, (store) => store.refreshLease(id), options);
  }

  getLease(id: bigint, options: Options = {}) {
    return this.#call(true, (store) => store.getLease(id), options);
  }

  revokeLease(id: bigint, options: Options = {}) {
    return this.#call(false, (store) => store.revokeLease(id), options);
  }

  keepLease(lease: { readonly id: bigint; readonly seconds: number }): KeptLease {
    const refresh = async (id: bigint, signal: AbortSignal, leftMs: number) => {
      const deadlineMs = Math.min(leftMs, REFRESH_MS);
      return (await this.refreshLease(id, { signal, deadlineMs })).seconds;
    };
    return new LeaseKeeper(lease, refresh, this.#process.clock);
  }

  async *watch({ range, from, signal, onInterrupted }: WatchQuery): AsyncGenerator<WatchBatch> {
    let next = from;
    while (!signal?.aborted) {
      let hangUp = () => {};
      try {
        const { machine } = this.#server;
        const connection = await this.#world.network.dial(this.#process, machine, KEEPALIVE_MS);
        hangUp = () => connection.close();
        signal?.addEventListener("abort", hangUp, { once: true });
        if (signal?.aborted) return;
        const begin = next;
        const { frames } = connection.openStream((_, over) =>
          this.#serverStore.watch({ range, from: begin, signal: over }),
        );
        for await (const batch of frames) {
          next = batch.revision + 1n;
          yield batch;
        }
        throw new Error("the store has ended the watch");
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof StoreError && error.code !== "UNAVAILABLE") throw error;
        onInterrupted?.(error as Error);
        const { clock } = this.#process;
        await clock.sleep(100 + 400 * clock.random(), signal).catch(() => {});
      } finally {
        signal?.removeEventListener("abort", hangUp);
        hangUp();
      }
    }
  }

  async close(): Promise<void> {}

  get #serverStore(): Store {
    const { open } = this.#server;
    if (!open) throw new StoreError("UNAVAILABLE", "the store is not up");
    return open.store;
  }

  async #call<T>(isSafe: boolean, operation: Operation<T>, options: Options): Promise<T> {
    const { clock } = this.#process;
    const { signal, deadlineMs = DEADLINE_MS } = options;
    throwIfAborted(signal);
    const end = clock.now() + deadlineMs;
    for (let longest = 25; ; longest = Math.min(1000, longest * 2)) {
      const left = Math.max(1, end - clock.now());
      try {
        return await this.#try(operation, isSafe, isSafe ? left / 2 : left, signal);
      } catch (error) {
        if (!(error instanceof StoreError) || !isPassing(error) || error.maybeApplied) throw error;
        const pause = longest * (0.5 + clock.random() / 2);
        if (clock.now() + pause >= end) throw error;
        await clock.sleep(pause, signal).catch(() => {
          throw cancelled(signal!);
        });
      }
    }
  }

  #try<T>(
    operation: Operation<T>,
    isSafe: boolean,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { scheduler, network } = this.#world;
    const client = this.#process;
    const maybeApplied = !isSafe;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (then: () => void) => {
        if (isOver || !client.isAlive) return;
        isOver = true;
        late.cancel();
        signal?.removeEventListener("abort", abort);
        then();
      };
      const late = scheduler.after(timeoutMs, () =>
        settle(() =>
          reject(new StoreError("DEADLINE_EXCEEDED", "no answer in time", { maybeApplied })),
        ),
      );
      const abort = () => settle(() => reject(cancelled(signal!, maybeApplied)));
      signal?.addEventListener("abort", abort, { once: true });
      network.post(client, this.#server.machine, () =>
        this.#serve(operation, maybeApplied, settle, resolve, reject),
      );
    });
  }

  #serve<T>(
    operation: Operation<T>,
    maybeApplied: boolean,
    settle: (then: () => void) => void,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { network, scheduler } = this.#world;
    const { open, machine } = this.#server;
    if (!open) {
      const refused = new StoreError("UNAVAILABLE", "the store is not up");
      if (network.isBlocked(machine, this.#process.machine)) return;
      scheduler.after(1, () => settle(() => reject(refused)));
      return;
    }
    const { process, store } = open;
    const died = () => {
      if (!machine.isUp) return;
      const cut = new StoreError("UNAVAILABLE", "the store was cut off", { maybeApplied });
      if (network.isBlocked(machine, this.#process.machine)) return;
      scheduler.after(1, () => settle(() => reject(cut)));
    };
    process.onDeath.push(died);
    const done = (then: () => void) => {
      const at = process.onDeath.indexOf(died);
      if (at >= 0) process.onDeath.splice(at, 1);
      network.answer(process, this.#process, () => settle(then));
    };
    process.living(operation(store)).then(
      (value) => done(() => resolve(value)),
      (error) => done(() => reject(error)),
    );
  }
}

function isPassing({ code }: StoreError): boolean {
  return code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED";
}
