import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { closeFd, mapInfo, objPin } from "#dist/kernel/index.js";
import { PinPaths } from "#dist/maps/pin-path.js";
import { run, testBpffs } from "./support/host.js";
import { makeMap } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";
import { pinProgram } from "./support/program-pin.js";

let root: string;
let directory: string;
let pins: PinPaths;
beforeEach(() => {
  const bpffs = testBpffs();
  ({ root, directory } = bpffs);
  pins = new PinPaths([root], join(root, "bpfmapd"));
});

const FIELD = "pin_path";
const at = (...parts: string[]) => [root, ...parts].join("/");

/** Opens a pin and answers the id of its map. */
function open(path: string): number {
  const fd = pins.open(path, FIELD);
  try {
    return mapInfo(fd).id;
  } finally {
    closeFd(fd);
  }
}

const pin = (path: string, fd: number, createParents = false) =>
  pins.pin(path, fd, createParents, FIELD);
const unpin = (path: string, removeEmptyParents = false) =>
  pins.unpin(path, removeEmptyParents, FIELD);

/** All that a path can be asked for. */
const uses: [string, (path: string) => unknown][] = [
  ["open", open],
  ["pin", (path) => pin(path, makeMap("HASH").fd)],
  ["pin with parents", (path) => pin(path, makeMap("HASH").fd, true)],
  ["unpin", (path) => unpin(path)],
  ["unpin with parents", (path) => unpin(path, true)],
];
const failing = async (use: (path: string) => unknown, path: string) => use(path);

/** Everything below a directory, as paths from it, but what the kernel puts into each bpffs. */
const below = (top: string) =>
  readdirSync(top, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.endsWith(".debug"))
    .sort();
const tree = () => below(root);

describe("a pin", () => {
  it("is found again at its path, and is gone after unpin", async () => {
    const { fd, id } = makeMap("HASH");
    pin(at("stats"), fd);
    expect(open(at("stats"))).toBe(id);
    unpin(at("stats"));
    await expectFailure(failing(open, at("stats")), "PIN_NOT_FOUND");
  });

  it("is made with its missing directories, readable by their owner only", () => {
    const { fd, id } = makeMap("HASH");
    pin(at("a", "b", "c"), fd, true);
    expect(open(at("a", "b", "c"))).toBe(id);
    expect(run("stat", "-c", "%a", at("a"), at("a", "b"))).toBe("700\n700\n");
  });

  it("is not made where its directory is missing", async () => {
    const { fd } = makeMap("HASH");
    const error = await expectFailure(
      failing((path) => pin(path, fd), at("a", "b")),
      "PIN_NOT_FOUND",
    );
    expect(error.message).toContain("create_parents");
    expect(tree()).toEqual([]);
  });

  it("replaces nothing that is there", async () => {
    const first = makeMap("HASH");
    pin(at("a"), first.fd);
    mkdirSync(at("directory"));
    for (const taken of ["a", "directory"]) {
      const again = failing((path) => pin(path, makeMap("HASH").fd), at(taken));
      await expectFailure(again, "PIN_EXISTS");
    }
    expect(open(at("a"))).toBe(first.id);
  });
});

describe("create_parents", () => {
  it.each([
    ["a name with a dot", "dot.ted", "PIN_PATH_INVALID"],
    ["a directory with a dot", "dot.ted/x", "PIN_PATH_INVALID"],
    ["a name that is too long", "x".repeat(256), "PIN_PATH_INVALID"],
    ["a directory whose name is too long", `${"x".repeat(256)}/x`, "PIN_PATH_INVALID"],
  ] as const)("leaves no directory behind where %s stops it", async (_, rest, reason) => {
    const { fd } = makeMap("HASH");
    const call = failing((path) => pin(path, fd, true), at("new", "deep", rest));
    await expectFailure(call, reason, FIELD);
    expect(tree()).toEqual([]);
  });

  it("leaves those that were there, and removes only its own", async () => {
    mkdirSync(at("old"));
    const { fd } = makeMap("HASH");
    const call = failing((path) => pin(path, fd, true), at("old", "new", "x".repeat(300)));
    await expectFailure(call, "PIN_PATH_INVALID", FIELD);
    expect(tree()).toEqual(["old"]);
  });

  it("leaves none where the pin is there already", async () => {
    const { fd } = makeMap("HASH");
    pin(at("a", "b"), fd, true);
    const call = failing((path) => pin(path, fd, true), at("a", "b", "c", "d"));
    await expectFailure(call, "PIN_PATH_INVALID", FIELD);
    expect(tree()).toEqual(["a", "a/b"]);
  });
});

describe("remove_empty_parents", () => {
  it("removes the directories that become empty, up to the root", () => {
    pin(at("a", "b", "c"), makeMap("HASH").fd, true);
    unpin(at("a", "b", "c"), true);
    expect(tree()).toEqual([]);
    expect(existsSync(root)).toBe(true);
  });

  it("stops at the first that is not empty", () => {
    pin(at("a", "b", "c"), makeMap("HASH").fd, true);
    pin(at("a", "other"), makeMap("HASH").fd);
    unpin(at("a", "b", "c"), true);
    expect(tree()).toEqual(["a", "a/other"]);
  });

  it("removes none where the pin itself is refused", async () => {
    mkdirSync(at("empty"));
    await expectFailure(
      failing((path) => unpin(path, true), at("empty", "x")),
      "PIN_NOT_FOUND",
    );
    expect(tree()).toEqual(["empty"]);
  });
});

describe.each(uses)("%s", (_, use) => {
  it.each([
    "relative",
    "./relative",
    "",
    "/",
    "ROOT/../escape",
    "ROOT/a/../b",
    "ROOT/./a",
    "ROOT//a",
    "ROOT/a/",
    "ROOT/",
    "ROOT/a\0b",
    "ROOT/dot.ted",
    "ROOT/dot.ted/a",
    "ROOT/bpfmapd",
    "ROOT/bpfmapd/stats",
    "ROOT/bpfmapd/deep/stats",
  ])("refuses %j with PIN_PATH_INVALID", async (path) => {
    mkdirSync(at("bpfmapd"));
    objPin(at("bpfmapd", "stats"), makeMap("HASH").fd);
    const before = tree();
    await expectFailure(failing(use, path.replace("ROOT", root)), "PIN_PATH_INVALID", FIELD);
    expect(tree()).toEqual(before);
  });

  it.each(["ROOT", "ROOTx/a", "/etc/passwd", "/sys/kernel/a", "/proc/self/root/a"])(
    "refuses %s with PIN_PATH_OUTSIDE_ROOT",
    async (path) => {
      const call = failing(use, path.replace("ROOT", root));
      await expectFailure(call, "PIN_PATH_OUTSIDE_ROOT", FIELD);
    },
  );

  it("follows no symbolic link, neither on the way nor at the end", async () => {
    const outside = testBpffs();
    const { fd } = makeMap("HASH");
    objPin(join(outside.root, "secret"), fd);
    pin(at("real"), fd);
    symlinkSync(outside.root, at("way"));
    symlinkSync(join(outside.root, "secret"), at("end"));
    symlinkSync(at("real"), at("inside"));
    for (const path of [at("way", "secret"), at("end"), at("inside")]) {
      const error = await failing(use, path).then(
        () => expect.fail(`${path} was followed`),
        (thrown: unknown) => thrown,
      );
      expect(["PIN_PATH_INVALID", "PIN_EXISTS"]).toContain((error as { reason: string }).reason);
    }
    expect(below(outside.root)).toEqual(["secret"]);
    expect(tree()).toEqual(["end", "inside", "real", "way", "way/secret"]);
  });

  it("does not cross into what is mounted inside a root", async () => {
    mkdirSync(at("inner"));
    run("mount", "-t", "bpf", "bpf", at("inner"));
    onTestFinished(() => void run("umount", at("inner")));
    objPin(at("inner", "secret"), makeMap("HASH").fd);
    await expectFailure(failing(use, at("inner", "secret")), "PIN_PATH_OUTSIDE_ROOT", FIELD);
    await expectFailure(failing(use, at("inner", "deep", "x")), "PIN_PATH_OUTSIDE_ROOT", FIELD);
    expect(below(at("inner"))).toEqual(["secret"]);
  });

  it("goes through no pin as if it were a directory", async () => {
    pin(at("file"), makeMap("HASH").fd);
    await expectFailure(failing(use, at("file", "x")), "PIN_PATH_INVALID", FIELD);
  });
});

describe.each([uses[0], uses[3], uses[4]] as typeof uses)("%s", (_, use) => {
  it("answers NOT_A_MAP for a directory, and leaves it", async () => {
    mkdirSync(at("directory"));
    await expectFailure(failing(use, at("directory")), "NOT_A_MAP", FIELD);
    expect(tree()).toEqual(["directory"]);
  });

  it("answers NOT_A_MAP for a program's pin, and leaves it", async () => {
    pinProgram(at("program"));
    await expectFailure(failing(use, at("program")), "NOT_A_MAP", FIELD);
    expect(tree()).toEqual(["program"]);
  });

  it("answers PIN_NOT_FOUND for what is not there", async () => {
    await expectFailure(failing(use, at("nothing")), "PIN_NOT_FOUND");
    await expectFailure(failing(use, at("no", "directory")), "PIN_NOT_FOUND");
  });
});

it("a root that is mounted no longer is answered with its name", async () => {
  pins = new PinPaths([directory], join(directory, "bpfmapd"));
  const error = await expectFailure(failing(open, join(directory, "x")), "PIN_PATH_INVALID", FIELD);
  expect(error.message).toContain("is not a mounted bpffs");
});

it("pins are found in each of several roots", () => {
  const other = testBpffs();
  pins = new PinPaths([root, other.root], join(root, "bpfmapd"));
  const { fd, id } = makeMap("HASH");
  pin(join(other.root, "a", "b"), fd, true);
  expect(open(join(other.root, "a", "b"))).toBe(id);
});
