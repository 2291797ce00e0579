import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { hostname, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  bootId,
  effectiveCapabilities,
  hostNames,
  isLittleEndian,
  pageSize,
  raiseMemlockIfCharged,
  tryLock,
} from "#dist/kernel/index.js";

describe("RLIMIT_MEMLOCK", () => {
  it("stays as it is, unless the kernel charges maps to it", () => {
    const before = memlock();
    const raised = raiseMemlockIfCharged();
    expect(memlock()).toEqual(raised ? ["unlimited", "unlimited"] : before);
  });

  it("is raised where the kernel does, and is as before where it does not", () => {
    const script = `
      const { raiseMemlockIfCharged } = await import(${JSON.stringify(kernelUrl())});
      raiseMemlockIfCharged();
      process.stdout.write((await import("node:fs")).readFileSync("/proc/self/limits"));`;
    const node = [process.execPath, "--input-type=module", "--eval", script];
    const limits = execFileSync("prlimit", ["--memlock=65536:131072", ...node], {
      encoding: "utf8",
    });
    expect([
      ["65536", "131072"],
      ["unlimited", "unlimited"],
    ]).toContainEqual(memlock(limits));
  });
});

describe("capabilities", () => {
  it("are those that the process has in effect", () => {
    const capable = effectiveCapabilities();
    expect(capable).toContain("CAP_BPF");
    expect(capable).toContain("CAP_NET_ADMIN");
    expect(capable).toContain("CAP_SYS_ADMIN");
  });

  it("are missing where they were dropped", () => {
    const script = `
      const { effectiveCapabilities } = await import(${JSON.stringify(kernelUrl())});
      process.stdout.write([...effectiveCapabilities()].sort().join());`;
    const node = [process.execPath, "--input-type=module", "--eval", script];
    const dropped = execFileSync("setpriv", ["--bounding-set", "-sys_admin", ...node], {
      encoding: "utf8",
    });
    const expected = [...effectiveCapabilities()].filter((name) => name !== "CAP_SYS_ADMIN");
    expect(dropped).toBe(expected.sort().join());
  });
});

describe("a lock", () => {
  it("is had by one open file at a time, and ends when that closes", () => {
    const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const first = openSync(directory, "r");
    const second = openSync(directory, "r");
    expect(tryLock(first)).toBe(true);
    expect(tryLock(first)).toBe(true);
    expect(tryLock(second)).toBe(false);
    closeSync(first);
    expect(tryLock(second)).toBe(true);
    closeSync(second);
  });
});

describe("the host", () => {
  it("is told as the system tells it", () => {
    expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(hostNames()).toMatchObject({ hostname: hostname(), kernelRelease: release() });
    const size = execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" });
    expect(pageSize()).toBe(Number(size));
    expect(isLittleEndian()).toBe(new Uint8Array(new Uint16Array([1]).buffer)[0] === 1);
  });
});

function memlock(limits = readFileSync("/proc/self/limits", "latin1")): string[] {
  const [, soft = "", hard = ""] = /^Max locked memory\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  return [soft, hard];
}

function kernelUrl(): string {
  return pathToFileURL(resolve(import.meta.dirname, "../../dist/kernel/index.js")).href;
}
