import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallerLimiter, CallShare, DEFAULT_LIMITS, type Slot } from "#dist/access/index.js";

const LIMITS = {
  ...DEFAULT_LIMITS,
  ...{ calls: 6, streams: 4, scans: 2, watches: 2, held_maps: 3 },
  ...{ bytes_in_flight: 100, watched_bytes: 50 },
};
const SLOTS = [
  ["calls"],
  ["calls", "streams"],
  ["calls", "streams", "scans"],
  ["calls", "scans"],
  ["calls", "streams", "watches"],
] as const satisfies Slot[][];

/** What a call should have taken. */
interface ModelCall {
  readonly share: CallShare;
  readonly slots: readonly Slot[];
  bytes: number;
  /** Bytes of the message that waits, if one does. */
  waiting: number;
  watched: { readonly id: number; readonly bytes: number } | undefined;
}

const step = fc.oneof(
  fc.record({ do: fc.constant("begin" as const), kind: fc.nat(SLOTS.length - 1) }),
  fc.record({
    do: fc.constant("take" as const),
    call: fc.nat(),
    bytes: fc.integer({ min: 1, max: 120 }),
  }),
  fc.record({
    do: fc.constant("stream" as const),
    call: fc.nat(),
    bytes: fc.integer({ min: 1, max: 120 }),
  }),
  fc.record({
    do: fc.constant("add" as const),
    call: fc.nat(),
    bytes: fc.integer({ min: 1, max: 120 }),
  }),
  fc.record({ do: fc.constant("give" as const), call: fc.nat() }),
  fc.record({
    do: fc.constant("watch" as const),
    call: fc.nat(),
    id: fc.nat(2),
    bytes: fc.nat(40),
  }),
  fc.record({ do: fc.constant("hold" as const), call: fc.nat() }),
  fc.record({ do: fc.constant("release" as const), hold: fc.nat() }),
  fc.record({ do: fc.constant("close" as const), call: fc.nat(), twice: fc.boolean() }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A limiter beside plain lists of what was taken. */
class Model {
  readonly limiter = new CallerLimiter("one");
  readonly calls: ModelCall[] = [];
  readonly holds: (() => void)[] = [];

  run(step: Step): void {
    switch (step.do) {
      case "begin":
        this.#begin(SLOTS[step.kind] as readonly Slot[]);
        break;
      case "hold":
        this.#hold(this.#call(step.call));
        break;
      case "release": {
        const [release] = this.holds.splice(step.hold % Math.max(1, this.holds.length), 1);
        release?.();
        break;
      }
      case "close":
        this.#close(this.#call(step.call), step.twice);
        break;
      default: {
        const call = this.#call(step.call);
        if (call) this.#move(call, step);
      }
    }
  }

  get bytes(): number {
    return this.calls.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get watchedBytes(): number {
    const byMap = new Map(
      this.calls.flatMap(({ watched }) => (watched ? [[watched.id, watched.bytes]] : [])),
    );
    return [...byMap.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  taken(slot: Slot): number {
    if (slot === "held_maps") return this.holds.length;
    return this.calls.filter(({ slots }) => slots.includes(slot)).length;
  }

  #call(index: number): ModelCall | undefined {
    return this.calls[index % Math.max(1, this.calls.length)];
  }

  #begin(slots: readonly Slot[]): void {
    const isRefused = slots.some((slot) => this.taken(slot) >= LIMITS[slot]);
    const share = outcome(() => new CallShare(this.limiter, LIMITS, slots));
    expect(share instanceof Error).toBe(isRefused);
    if (share instanceof CallShare) {
      this.calls.push({ share, slots, bytes: 0, waiting: 0, watched: undefined });
    }
  }

  #hold(call: ModelCall | undefined): void {
    if (!call) return;
    const isRefused = this.holds.length >= LIMITS.held_maps;
    const release = outcome(() => call.share.claimHold());
    expect(release instanceof Error).toBe(isRefused);
    if (typeof release === "function") this.holds.push(release);
  }

  #move(
    call: ModelCall,
    step: Exclude<Step, { do: "begin" | "hold" | "release" | "close" }>,
  ): void {
    const { share } = call;
    switch (step.do) {
      case "take": {
        const fits = this.bytes === 0 || this.bytes + step.bytes <= LIMITS.bytes_in_flight;
        const failure = outcome(() => share.takeBytes(step.bytes));
        expect(failure instanceof Error).toBe(!fits);
        if (fits) call.bytes += step.bytes;
        return;
      }
      case "stream":
        // grpc-js gives the next message only when the one before was handed on.
        if (call.waiting > 0) return;
        call.waiting = step.bytes;
        share.whenRoom(step.bytes, () => {
          expect(this.bytes === 0 || this.bytes + step.bytes <= LIMITS.bytes_in_flight).toBe(true);
          call.bytes += step.bytes;
          call.waiting = 0;
        });
        return;
      case "add":
        call.bytes += step.bytes;
        share.addBytes(step.bytes);
        break;
      case "give": {
        const bytes = call.bytes;
        call.bytes = 0;
        share.giveBytes(bytes);
        break;
      }
      case "watch":
        this.#watch(call, step.id, step.bytes);
        break;
    }
  }

  #watch(call: ModelCall, id: number, bytes: number): void {
    call.watched = { id, bytes };
    for (const other of this.calls) if (other.watched?.id === id) other.watched = { id, bytes };
    const failure = outcome(() => call.share.keeps(id, bytes));
    expect(failure instanceof Error).toBe(this.watchedBytes > LIMITS.watched_bytes);
  }

  #close(call: ModelCall | undefined, twice: boolean): void {
    if (!call) return;
    this.calls.splice(this.calls.indexOf(call), 1);
    call.share.close();
    if (twice) call.share.close();
  }
}

function outcome<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}

describe("a limiter", () => {
  it("counts what calls have taken, whatever they do and however they end", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const model = new Model();
        for (const step of steps) {
          model.run(step);
          expect(model.limiter.bytes).toBe(model.bytes);
          expect(model.limiter.watchedBytes).toBe(model.watchedBytes);
          for (const slot of ["calls", "streams", "scans", "watches", "held_maps"] as const) {
            expect(model.limiter.taken(slot), slot).toBe(model.taken(slot));
          }
          // Nobody waits for nothing: where no bytes are in flight, the first may go on.
          if (model.bytes === 0)
            expect(model.calls.filter(({ waiting }) => waiting > 0)).toEqual([]);
        }
        for (const { share } of model.calls.splice(0)) share.close();
        for (const release of model.holds.splice(0)) release();
        expect(model.limiter.isIdle).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("hands room to streams in the order of their coming", () => {
    const limiter = new CallerLimiter("one");
    const first = new CallShare(limiter, LIMITS, ["calls"]);
    const others = [1, 2, 3].map(() => new CallShare(limiter, LIMITS, ["calls"]));
    first.takeBytes(100);
    const served: number[] = [];
    for (const [index, share] of others.entries()) share.whenRoom(60, () => served.push(index));
    others[1]?.close(); // it does not stand in the way
    expect(served).toEqual([]);
    first.close();
    expect(served).toEqual([0]);
    others[0]?.close();
    expect(served).toEqual([0, 2]);
  });
});
