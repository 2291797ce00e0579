import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";
import type { KernelMap } from "./kernel-map.js";

/** Changes that go on until the test ends, or until {@link stop}. */
export interface Churn {
  /** Rounds of 256 changes so far. */
  readonly rounds: number;
  stop(): Promise<void>;
}

/** Inserts, updates and deletes these keys at random in another thread, without a pause. */
export async function startChurn(map: KernelMap, keys: readonly Uint8Array[]): Promise<Churn> {
  const [stop, turns] = [0, 0].map(() => new Int32Array(new SharedArrayBuffer(4))) as [
    Int32Array,
    Int32Array,
  ];
  const { keySize, valueStride } = map.layout;
  const worker = new Worker(new URL("./churn-worker.mjs", import.meta.url), {
    workerData: {
      fd: map.fd,
      keySize,
      valueStride,
      keys: Uint8Array.from(Buffer.concat(keys)),
      stop,
      turns,
    },
  });
  const exit = once(worker, "exit");
  const churn = {
    get rounds() {
      return Atomics.load(turns, 0);
    },
    async stop() {
      Atomics.store(stop, 0, 1);
      await exit;
    },
  };
  onTestFinished(() => churn.stop());
  while (churn.rounds === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  return churn;
}
