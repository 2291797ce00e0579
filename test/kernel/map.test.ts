import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  btfLoad,
  closeFd,
  ElementCalls,
  isMapFd,
  type MapCreation,
  mapCreate,
  mapFdinfo,
  mapFreeze,
  mapGetFdById,
  mapInfo,
  mapNextId,
} from "#dist/kernel/index.js";

const HASH: MapCreation = {
  type: 1,
  keySize: 3,
  valueSize: 5,
  maxEntries: 7,
  flags: 1,
  name: "kernel_test.1",
};

describe("a map", () => {
  it("is reported as it was created", () => {
    expect(mapInfo(made(HASH))).toMatchObject({
      type: 1,
      keySize: 3,
      valueSize: 5,
      maxEntries: 7,
      flags: 1,
      name: "kernel_test.1",
      ifindex: 0,
      btfId: 0,
      mapExtra: 0n,
    });
  });

  it("keeps a map_extra of 64 bits", () => {
    const arena = {
      type: 33,
      keySize: 0,
      valueSize: 0,
      maxEntries: 1,
      flags: 1024,
      mapExtra: 0x7000_1234_5000n,
    };
    expect(mapInfo(made(arena)).mapExtra).toBe(0x7000_1234_5000n);
  });

  it("is found by its id, and its fd closes on exec", () => {
    const { id } = mapInfo(made(HASH));
    const again = mapGetFdById(id);
    onTestFinished(() => closeFd(again));
    expect(mapInfo(again).id).toBe(id);
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${again}`, "latin1"));
    const O_CLOEXEC = 0o2000000;
    expect(Number.parseInt(flags?.[1] ?? "0", 8) & O_CLOEXEC).toBe(O_CLOEXEC);
  });

  it("is among all ids, which ascend and end", () => {
    const { id } = mapInfo(made(HASH));
    const ids: number[] = [];
    for (let next = mapNextId(0); next !== undefined; next = mapNextId(next)) ids.push(next);
    expect(ids).toContain(id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it("has no id that is free", () => {
    const last = 0x7ffffffe;
    expect(() => mapGetFdById(last)).toThrow("BPF_MAP_GET_FD_BY_ID: ENOENT");
    expect(mapNextId(last)).toBeUndefined();
    for (const past of [2 ** 31 - 2, 2 ** 31 - 1, 2 ** 32 - 1]) {
      expect(mapNextId(past)).toBeUndefined();
    }
  });

  it("is told from what is no map", () => {
    expect(isMapFd(made(HASH))).toBe(true);
    expect(isMapFd(0)).toBe(false);
  });

  it("cannot be made against the rules, and the call and errno are told", () => {
    expect(() => mapCreate({ ...HASH, keySize: 0 })).toThrow("BPF_MAP_CREATE: EINVAL");
    expect(() => mapCreate({ ...HASH, name: "not-ok" })).toThrow("BPF_MAP_CREATE: EINVAL");
    expect(() => mapCreate({ ...HASH, name: "sixteen_letters_" })).toThrow(RangeError);
  });
});

describe("freezing", () => {
  it("ends writes from user space for good, and fdinfo tells", () => {
    const fd = made(HASH);
    const calls = new ElementCalls(fd, 3, 5);
    onTestFinished(() => calls.release());
    expect(calls.update()).toBeUndefined();
    expect(mapFdinfo(fd).frozen).toBe(false);
    mapFreeze(fd);
    expect(mapFdinfo(fd).frozen).toBe(true);
    expect(calls.update()).toBe("EPERM");
    expect(calls.delete()).toBe("EPERM");
    expect(calls.lookup()).toBeUndefined();
    expect(() => mapFreeze(fd)).toThrow("BPF_MAP_FREEZE:");
  });
});

describe("fdinfo", () => {
  it("tells the memory of a map, which grows with its elements", () => {
    const small = mapFdinfo(made({ ...HASH, flags: 0 })).memlockBytes ?? 0;
    const large = mapFdinfo(made({ ...HASH, flags: 0, maxEntries: 7000 })).memlockBytes ?? 0;
    expect(small).toBeGreaterThan(0);
    expect(large).toBeGreaterThan(small + 7000 * 8);
  });

  it("tells no owner where no program is in it", () => {
    const array = made({ type: 3, keySize: 4, valueSize: 4, maxEntries: 1 });
    expect(mapFdinfo(array)).not.toHaveProperty("ownerProgType");
    expect(mapFdinfo(array)).not.toHaveProperty("ownerJited");
  });
});

describe("loading BTF", () => {
  it("refuses what is none", () => {
    expect(() => btfLoad(Buffer.from("this is not BTF, whatever it may be"))).toThrow(
      "BPF_BTF_LOAD: EINVAL",
    );
  });
});

function made(creation: MapCreation): number {
  const fd = mapCreate(creation);
  onTestFinished(() => closeFd(fd));
  return fd;
}
