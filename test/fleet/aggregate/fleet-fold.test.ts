import { describe, expect, it } from "vitest";
import { FleetFold, type HostAggregate } from "#dist/fleet/aggregate/fleet-fold.js";

const HOST: HostAggregate = {
  bootId: "boot",
  mapId: 7,
  elements: 3n,
  complete: true,
  startedMs: 1000,
  finishedMs: 1100,
  monotonicMs: 5000,
  totals: [{ count: 3n, sum: 60n, min: 10n, max: 30n, histogram: undefined }],
  top: undefined,
};

const hostWith = (sum: bigint, more: Partial<HostAggregate> = {}): HostAggregate => ({
  ...HOST,
  ...more,
  totals: [{ ...HOST.totals[0]!, sum }],
});

describe("a fold of hosts", () => {
  it("tells its hosts, those that could not read all, and when the oldest sample was taken", () => {
    const fold = new FleetFold({ fields: 1 });
    fold.add("b", hostWith(5n, { startedMs: 3000 }));
    fold.add("a", hostWith(7n, { startedMs: 2000, complete: false }));
    expect(fold.result()).toMatchObject({
      elements: 6n,
      hosts: 2,
      incomplete: 1,
      oldestMs: 2000,
      newestMs: 3000,
      totals: [{ count: 6n, sum: 12n }],
      steps: undefined,
    });
  });

  it("of no host tells nothing", () => {
    expect(new FleetFold({ fields: 2 }).result()).toMatchObject({
      hosts: 0,
      oldestMs: undefined,
      totals: [
        { count: 0n, min: undefined },
        { count: 0n, min: undefined },
      ],
    });
  });

  it("tells what was counted since the fold before, on hosts that are in both", () => {
    const before = new FleetFold({ fields: 1 });
    before.add("stays", hostWith(60n));
    before.add("leaves", hostWith(1000n));
    before.add("remakes", hostWith(500n));
    const fold = new FleetFold({ fields: 1 }, before.samples);
    fold.add("joins", hostWith(9000n));
    fold.add("stays", hostWith(80n, { monotonicMs: 7000 }));
    fold.add("remakes", hostWith(4n, { mapId: 8, monotonicMs: 6000 }));
    expect(fold.result().steps).toEqual([{ by: 24n, perSecond: 14, hosts: 2, resets: 1, fell: 0 }]);
  });

  it("bounds keys that a host does not tell by its least number, too", () => {
    const fold = new FleetFold({ fields: 1, top: { field: 0, limit: 2 } });
    const top = { keys: [{ key: Buffer.from("k"), number: 5n }], othersMax: -1n };
    const totals = [{ ...HOST.totals[0]!, min: -40n }];
    fold.add("a", { ...HOST, top, totals });
    fold.add("b", { ...HOST, top: { keys: [], othersMax: 3n }, totals });
    expect(fold.result().top).toMatchObject({
      keys: [{ atLeast: -35n, atMost: 8n, hosts: 1 }],
      othersMax: 3n,
    });
  });
});
