import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LeaseClock } from "#dist/maps/lease-clock.js";

let expired: string[];
let clock: LeaseClock;
beforeEach(() => {
  vi.useFakeTimers();
  expired = [];
  clock = new LeaseClock((name) => expired.push(name));
});
afterEach(() => {
  clock.close();
  vi.useRealTimers();
});

describe("LeaseClock", () => {
  it("tells each lease once, when its time is over, in the order of their ends", () => {
    clock.start("long", 3000);
    clock.start("short", 1000);
    clock.start("middle", 2000);
    vi.advanceTimersByTime(999);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(expired).toEqual(["short"]);
    vi.advanceTimersByTime(10_000);
    expect(expired).toEqual(["short", "middle", "long"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("starts a lease anew with its whole time when it is kept alive", () => {
    clock.start("a", 1000);
    for (let round = 0; round < 5; round++) {
      vi.advanceTimersByTime(900);
      clock.keepAlive("a");
    }
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(expired).toEqual(["a"]);
  });

  it("takes the new time where a lease is started again, shorter or longer", () => {
    clock.start("shorter", 5000);
    clock.start("longer", 1000);
    clock.start("shorter", 500);
    clock.start("longer", 7000);
    vi.advanceTimersByTime(500);
    expect(expired).toEqual(["shorter"]);
    vi.advanceTimersByTime(6499);
    expect(expired).toEqual(["shorter"]);
    vi.advanceTimersByTime(1);
    expect(expired).toEqual(["shorter", "longer"]);
  });

  it("tells nothing of a lease that was stopped, nor after it is closed", () => {
    clock.start("stopped", 100);
    clock.start("closed", 200);
    clock.stop("stopped");
    vi.advanceTimersByTime(150);
    clock.close();
    vi.advanceTimersByTime(1000);
    expect(expired).toEqual([]);
  });

  it("keeps leases longer than a timer can run", () => {
    const days = 24 * 3600 * 1000;
    clock.start("year", 366 * days);
    vi.advanceTimersByTime(365 * days);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(days);
    expect(expired).toEqual(["year"]);
  });

  it("is not moved by the host's clock", () => {
    clock.start("a", 10_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(9_999);
    expect(expired).toEqual([]);
  });

  it("tells when a lease runs out by the host's clock now", () => {
    clock.start("a", 60_000);
    vi.advanceTimersByTime(10_000);
    expect(clock.expiresAtMs("a")).toBe(Date.now() + 50_000);
    clock.keepAlive("a");
    expect(clock.expiresAtMs("a")).toBe(Date.now() + 60_000);
    expect(clock.expiresAtMs("b")).toBeUndefined();
  });

  it("does nothing where a name without a lease is kept alive", () => {
    clock.keepAlive("a");
    vi.advanceTimersByTime(1_000_000);
    expect(expired).toEqual([]);
  });

  it("may be changed by what it tells", () => {
    clock = new LeaseClock((name) => {
      expired.push(name);
      if (name === "first") clock.start("next", 100);
    });
    clock.start("first", 100);
    clock.start("second", 100);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual(["first", "second"]);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual(["first", "second", "next"]);
  });
});
