import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordBatch } from "#dist/records/index.js";
import { type RecordItem, Subscription } from "#dist/records/subscription.js";

const OVERHEAD = 1024;

function batch(firstSequence: number, count: number, bytes: number): RecordBatch {
  return {
    firstSequence,
    count,
    sizes: new Uint32Array(0),
    dataLength: 0,
    dataStart: 0,
    buffer: new Uint8Array(bytes),
  };
}

type Step =
  | { readonly type: "offer"; readonly count: number; readonly bytes: number }
  | { readonly type: "lose"; readonly count: number; readonly cpu: number }
  | { readonly type: "take" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant("offer" as const),
    count: fc.integer({ min: 1, max: 50 }),
    bytes: fc.constantFrom(0, 100, 3000, 20_000),
  }),
  fc.record({
    type: fc.constant("lose" as const),
    count: fc.integer({ min: 1, max: 9 }),
    cpu: fc.nat(1),
  }),
  fc.constant({ type: "take" as const }),
);

/** Takes items until `records` and `dropped` of them are accounted for. */
async function drain(items: AsyncGenerator<RecordItem>, into: RecordItem[], until: () => boolean) {
  while (!until()) {
    const { value } = await items.next();
    into.push(value as RecordItem);
  }
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

describe("a subscriber's queue", () => {
  it("accounts for every record in its place, within its bytes, whatever comes and goes", async () => {
    const limit = 10_000;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const subscription = new Subscription(limit, () => {});
        const items = subscription.items();
        const taken: RecordItem[] = [];
        const batches = () => taken.flatMap((item) => (item.kind === "batch" ? [item.batch] : []));
        const losses = (reason: string) =>
          sum(
            taken.map((item) =>
              item.kind === "lost" && item.loss.reason === reason ? item.loss.count : 0,
            ),
          );
        const received = () => sum(batches().map(({ count }) => count));
        let [offered, lost, waiting] = [0, 0, 0];
        for (const one of steps) {
          if (one.type === "offer") {
            subscription.offer(batch(offered, one.count, one.bytes));
            offered += one.count;
            waiting++;
          } else if (one.type === "lose") {
            subscription.lose({ reason: "ring_full", count: one.count, cpu: one.cpu });
            lost += one.count;
            waiting++;
          } else if (
            waiting > 0 &&
            received() + losses("slow_reader") + losses("ring_full") < offered + lost
          ) {
            taken.push((await items.next()).value as RecordItem);
          }
          // One batch is always kept, however large.
          expect(subscription.bytes).toBeLessThanOrEqual(Math.max(limit, 20_000 + OVERHEAD));
        }
        await drain(
          items,
          taken,
          () => received() + losses("slow_reader") === offered && losses("ring_full") === lost,
        );
        expect(subscription.bytes).toBe(0);
        let next = 0;
        for (const item of taken) {
          if (item.kind === "lost") {
            if (item.loss.reason === "slow_reader") next += item.loss.count;
          } else {
            expect(item.batch.firstSequence).toBe(next);
            next += item.batch.count;
          }
        }
        expect(next).toBe(offered);
      }),
    );
  });

  it("tells what waits before the error that ends it, unless it ends at once", async () => {
    const patient = new Subscription(10_000, () => {});
    patient.offer(batch(0, 1, 10));
    patient.fail(new Error("over"));
    const items = patient.items();
    expect((await items.next()).value.kind).toBe("batch");
    await expect(items.next()).rejects.toThrow("over");
    const cut = new Subscription(10_000, () => {});
    cut.offer(batch(0, 1, 10));
    cut.fail(new Error("over"), true);
    await expect(cut.items().next()).rejects.toThrow("over");
    expect(cut.bytes).toBe(0);
  });
});
