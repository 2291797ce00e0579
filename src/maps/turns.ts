/** How long one stretch of work may keep the event loop, in milliseconds. */
const STRETCH_MS = 1;

const waiting: (() => void)[] = [];

/**
 * Settles when the event loop has turned, and it is the stretch's turn: one stretch a turn of
 * the loop, however many calls have long work, so that short calls wait for one at most.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(goOn);
  });
}

function goOn(): void {
  const [next] = waiting.splice(0, 1);
  if (waiting.length > 0) setImmediate(goOn);
  next?.();
}

/**
 * Cuts a long loop into stretches, so that other calls are served between them. Call
 * {@link yieldIfDue} often: it costs a clock reading unless it is time.
 */
export class Turns {
  #started = performance.now();

  /** Whether the stretch has lasted long enough. */
  get isDue(): boolean {
    return performance.now() - this.#started >= STRETCH_MS;
  }

  /** Lets the event loop turn if the stretch has lasted long enough. */
  async yieldIfDue(): Promise<void> {
    if (!this.isDue) return;
    await nextTurn();
    this.#started = performance.now();
  }
}
