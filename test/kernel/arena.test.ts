import { describe, expect, it } from "vitest";
import { Arena, withArena } from "#dist/kernel/arena.js";

const LARGEST_KEPT = 1 << 20;

describe("an arena", () => {
  it("is given again after its release, without a new allocation", () => {
    const first = Arena.take(5000);
    const { address } = first;
    first.release();
    const second = Arena.take(6000);
    expect(second.address).toBe(address);
    second.release();
  });

  it("is given to one taker at a time", () => {
    const taken = Array.from({ length: 20 }, () => Arena.take(100));
    expect(new Set(taken.map(({ address }) => address)).size).toBe(20);
    for (const arena of taken) arena.release();
  });

  it("released twice is still given to one taker", () => {
    const arena = Arena.take(100);
    arena.release();
    arena.release();
    const [one, other] = [Arena.take(100), Arena.take(100)];
    expect(one.address).not.toBe(other.address);
    one.release();
    other.release();
  });

  it.each([1, 4096, 4097, 100_000, LARGEST_KEPT, LARGEST_KEPT + 1, 5 * LARGEST_KEPT])(
    "of %i bytes has room for all of them",
    (size) => {
      const arena = Arena.take(size);
      expect(arena.bytes.length).toBeGreaterThanOrEqual(size);
      arena.bytes.fill(0xff, 0, size);
      expect(arena.bytes[size - 1]).toBe(0xff);
      arena.release();
    },
  );

  it("of withArena is zeroed, whatever its last user left in it", () => {
    withArena(4096, (arena) => arena.bytes.fill(0xee));
    withArena(4096, (arena) => expect(arena.bytes.every((byte) => byte === 0)).toBe(true));
  });

  it("of withArena goes back where its user throws", () => {
    let address = 0;
    expect(() =>
      withArena(64, (arena) => {
        address = arena.address;
        throw new Error("of the test");
      }),
    ).toThrow("of the test");
    withArena(64, (arena) => expect(arena.address).toBe(address));
  });

  it("writes whole numbers up to 53 bits as u64", () => {
    withArena(64, (arena) => {
      for (const number of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 47 - 4096, Number.MAX_SAFE_INTEGER]) {
        arena.setU64(8, number);
        expect(arena.getU64(8)).toBe(BigInt(number));
      }
      expect(arena.getU64(0)).toBe(0n);
      expect(arena.getU64(16)).toBe(0n);
    });
  });
});
