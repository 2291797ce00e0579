import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  closeFd,
  isBpffs,
  isMapFd,
  mapCreate,
  mountBpffs,
  objGet,
  objPin,
  openBeneath,
} from "#dist/kernel/index.js";

describe("a bpffs", () => {
  it("is told from other filesystems", () => {
    const { directory, bpffs } = stage();
    expect(isBpffs(bpffs)).toBe(true);
    expect(isBpffs(directory)).toBe(false);
    expect(() => isBpffs(join(directory, "nothing"))).toThrow("ENOENT");
  });

  it("that we mount is for its owner only", () => {
    const { bpffs } = stage();
    expect(statSync(bpffs).mode & 0o777).toBe(0o700);
  });

  it("keeps a map that is pinned and gives it back", () => {
    const { bpffs } = stage();
    const fd = mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 });
    objPin(join(bpffs, "map"), fd);
    closeFd(fd);
    const again = objGet(join(bpffs, "map"));
    expect(isMapFd(again)).toBe(true);
    closeFd(again);
    expect(() => objGet(join(bpffs, "none"))).toThrow("BPF_OBJ_GET: ENOENT");
  });

  it("takes a pin once, and none with a dot in its name", () => {
    const { directory, bpffs } = stage();
    const fd = mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 });
    onTestFinished(() => closeFd(fd));
    objPin(join(bpffs, "map"), fd);
    expect(() => objPin(join(bpffs, "map"), fd)).toThrow("BPF_OBJ_PIN: EEXIST");
    expect(() => objPin(join(bpffs, "a.b"), fd)).toThrow("BPF_OBJ_PIN: EPERM");
    expect(() => objPin(join(directory, "map"), fd)).toThrow("BPF_OBJ_PIN: EPERM");
  });
});

describe("opening beneath a directory", () => {
  it("opens what is there", () => {
    const { bpffs, open } = stage();
    mkdirSync(join(bpffs, "a/b"), { recursive: true });
    expect(open("a/b", "directory")).toBe(join(bpffs, "a/b"));
    expect(open("a", "any")).toBe(join(bpffs, "a"));
    expect(open(".", "directory")).toBe(bpffs);
  });

  it("answers ENOENT and ENOTDIR where there is nothing, or no directory", () => {
    const { directory, openIn } = stage();
    writeFileSync(join(directory, "file"), "");
    expect(() => openIn(directory, "nothing", "any")).toThrow("openat2: ENOENT");
    expect(() => openIn(directory, "file", "directory")).toThrow("openat2: ENOTDIR");
    expect(openIn(directory, "file", "any")).toBe(join(directory, "file"));
  });

  it.each(["..", "../x", "a/../../x", "/", "/etc/passwd", "/sys/fs/bpf"])(
    "does not leave it by %s",
    (path) => {
      const { bpffs, open } = stage();
      mkdirSync(join(bpffs, "a"));
      expect(() => open(path, "any")).toThrow("openat2: EXDEV");
    },
  );

  it("may go up and down inside", () => {
    const { bpffs, open } = stage();
    mkdirSync(join(bpffs, "a"));
    expect(open("a/../a", "directory")).toBe(join(bpffs, "a"));
  });

  it.each([
    ["out of it", "/etc", "link"],
    ["inside it", "a", "link"],
    ["on the way", "a", "link/b"],
    ["to itself", "link", "link"],
  ])("follows no symbolic link %s", (_, target, path) => {
    const { bpffs, open } = stage();
    mkdirSync(join(bpffs, "a/b"), { recursive: true });
    symlinkSync(target, join(bpffs, "link"));
    expect(() => open(path, "directory")).toThrow("openat2: ELOOP");
  });

  it("refuses a symbolic link as the last step too, even to a pin", () => {
    const { bpffs, open } = stage();
    const fd = mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 });
    onTestFinished(() => closeFd(fd));
    objPin(join(bpffs, "map"), fd);
    symlinkSync(join(bpffs, "map"), join(bpffs, "link"));
    expect(() => open("link", "any")).toThrow("openat2: ELOOP");
  });

  it("crosses no mount", () => {
    const { directory, bpffs, openIn } = stage();
    mkdirSync(join(bpffs, "a"));
    expect(() => openIn(directory, "bpffs", "directory")).toThrow("openat2: EXDEV");
    expect(() => openIn(directory, "bpffs/a", "directory")).toThrow("openat2: EXDEV");
  });
});

/** A directory of the test's own with a bpffs in it. */
function stage() {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
  const bpffs = join(directory, "bpffs");
  onTestFinished(() => {
    spawnSync("umount", ["-l", bpffs]);
    rmSync(directory, { recursive: true, force: true });
  });
  mountBpffs(bpffs);
  /** The path of what was opened, as the kernel tells it. */
  const openIn = (root: string, path: string, kind: "any" | "directory") => {
    const dirfd = openSync(root, "r");
    try {
      const fd = openBeneath(dirfd, path, kind);
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(dirfd);
    }
  };
  const open = (path: string, kind: "any" | "directory") => openIn(bpffs, path, kind);
  return { directory, bpffs, open, openIn };
}
