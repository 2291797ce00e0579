import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { errnoName, KernelError } from "#dist/kernel/errno.js";

describe("an errno's name", () => {
  it.each([
    [1, "EPERM"],
    [2, "ENOENT"],
    [7, "E2BIG"],
    [16, "EBUSY"],
    [17, "EEXIST"],
    [22, "EINVAL"],
    [28, "ENOSPC"],
    [constants.errno.EDEADLK, "EDEADLK"],
    [constants.errno.ETIMEDOUT, "ETIMEDOUT"],
  ])("of %i is %s", (number, name) => {
    expect(errnoName(number)).toBe(name);
  });

  it("is the kernel's where two names share a number", () => {
    expect(errnoName(constants.errno.EAGAIN)).toBe("EAGAIN");
    expect(errnoName(constants.errno.EOPNOTSUPP)).toBe("EOPNOTSUPP");
  });

  it("is ENOTSUPP for the kernel's own 524", () => {
    expect(errnoName(524)).toBe("ENOTSUPP");
  });

  it("tells the number where there is none", () => {
    expect(errnoName(4095)).toBe("ERRNO_4095");
  });
});

describe("a kernel error", () => {
  it("tells the call and the errno", () => {
    const error = new KernelError("EPERM", "BPF_MAP_CREATE");
    expect(error.message).toBe("BPF_MAP_CREATE: EPERM");
    expect([error.errno, error.call, error.name]).toEqual([
      "EPERM",
      "BPF_MAP_CREATE",
      "KernelError",
    ]);
  });
});
