import type { Clock } from "../../clock.js";
import { leaseKey } from "./disk-layout.js";
import type { Engine } from "./engine.js";
import { endLease } from "./evaluate.js";

const LONGEST_WAIT_MS = 60_000;
const AFTER_FAILURE_MS = 1_000;

/** Ends leases as they run out, until the store is closed. A disk that fails is tried again. */
export async function expireLeases(engine: Engine, clock: Clock): Promise<void> {
  while (!engine.isClosed) {
    let wait = AFTER_FAILURE_MS;
    const news = engine.bell.next;
    try {
      await engine.usable();
      const expired = engine.leases.expired(clock.now());
      await Promise.all(expired.map(({ id }) => removeLease(engine, id)));
      wait = Math.min(LONGEST_WAIT_MS, engine.leases.nextExpiry - clock.now());
      if (wait <= 0) continue;
    } catch {
      // Told to whoever writes or reads next; here only time helps.
    }
    await Promise.race([news, pause(clock, wait, news)]);
  }
}

/** Ends one lease and removes its keys, all at one revision. It is called after `usable`. */
export async function removeLease(engine: Engine, id: bigint): Promise<void> {
  const removals = endLease(id, engine.history, engine.leases);
  await engine.commit([[leaseKey(id), null], ...removals], async () => {});
}

async function pause(clock: Clock, ms: number, news: Promise<void>): Promise<void> {
  const over = new AbortController();
  void news.then(() => over.abort());
  await clock.sleep(ms, over.signal).catch(() => {});
}
