import { expect, test } from "vitest";
import { MapSets } from "#dist/fleet/sets/index.js";
import { ALL_KEYS, keysUnder } from "#dist/fleet/store/index.js";
import type { StoreKind } from "../store-contract/fixture.ts";
import { elementsOf, LONG, numbers, openSets, readSet, SPEC, sorted } from "./fixture.ts";

export function putCases(kind: StoreKind): void {
  test("gives back all elements in the order of their keys, whatever order they came in", async () => {
    const { sets } = await openSets(kind);
    const contents = new Map(numbers(0, 30_000, (key) => key * 7));
    const shuffled = [...contents].sort(
      ([a], [b]) => ((a * 7919) % 30_011) - ((b * 7919) % 30_011),
    );
    const chunks = [0, 1, 2].map((third) =>
      elementsOf(shuffled.filter((_, index) => index % 3 === third)),
    );
    const { manifest, isNew } = await sets.put("routes", SPEC, chunks);
    expect(isNew).toBe(true);
    expect(manifest).toMatchObject({ name: "routes", generation: 1, count: 30_000, ...SPEC });
    const read = await readSet(sets, "routes");
    expect([...read]).toEqual([...sorted(contents)]);
  });

  test("a set may be empty, and have keys without values", async () => {
    const { sets } = await openSets(kind);
    await sets.put("none", SPEC, []);
    expect(await readSet(sets, "none")).toEqual(new Map());
    const keysOnly = { ...SPEC, valueSize: 0 };
    const keys = Buffer.from("00000002000000010000000300000004", "hex");
    await sets.put("keys", keysOnly, [{ count: 4, keys, values: new Uint8Array(0) }]);
    const read = [];
    for await (const chunk of sets.read(await sets.get("keys"))) read.push(chunk);
    expect(read).toHaveLength(1);
    expect(Buffer.from(read[0]!.keys).toString("hex")).toBe("00000001000000020000000300000004");
  });

  test("another put takes the place of everything, and the earlier contents can still be read", async () => {
    const { sets } = await openSets(kind);
    const first = await sets.put("s", LONG, [elementsOf(numbers(0, 100), LONG)]);
    const second = await sets.put("s", { ...LONG, ownership: "merge" }, [
      elementsOf(numbers(50, 60), LONG),
    ]);
    expect(second.manifest).toMatchObject({ generation: 2, count: 10, ownership: "merge" });
    expect(second.manifest.id).toBe(first.manifest.id);
    expect(second.manifest.digest).not.toBe(first.manifest.digest);
    expect(await readSet(sets, "s")).toEqual(new Map(numbers(50, 60)));
    expect(await readSet(sets, "s", 1)).toEqual(new Map(numbers(0, 100)));
    await expect(sets.get("s", { generation: 3 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("writes again only the segments that are new", async () => {
    const { sets, store } = await openSets(kind);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 50_000))]);
    const segments = async () =>
      (await store.range({ range: keysUnder("sets/segment/s/"), keysOnly: true })).entries;
    const before = new Map((await segments()).map(({ key, modRevision }) => [key, modRevision]));
    const changed = new Map(numbers(0, 50_000)).set(25_000, 1);
    changed.delete(10_000);
    await sets.put("s", SPEC, [elementsOf(changed)]);
    const written = (await segments()).filter(
      ({ key, modRevision }) => before.get(key) !== modRevision,
    );
    // Two segments, those that may follow until the cuts are the same again, and the index.
    expect(written.length).toBeLessThanOrEqual(7);
    expect(before.size).toBeGreaterThan(15);
    expect(await readSet(sets, "s")).toEqual(changed);
  });

  test("one like what is there makes no new generation; with other words it does", async () => {
    const { sets } = await openSets(kind);
    const elements = [elementsOf(numbers(0, 1000))];
    const { manifest } = await sets.put("s", SPEC, elements);
    expect(await sets.put("s", SPEC, elements)).toEqual({ manifest, isNew: false });
    const other = await sets.put("s", { ...SPEC, selector: { hosts: ["a"] } }, elements);
    expect(other.manifest).toMatchObject({ generation: 2, digest: manifest.digest });
  });

  test("with an expected generation it is written at that one only, and the present one is told", async () => {
    const { sets } = await openSets(kind);
    const elements = [elementsOf(numbers(0, 10))];
    await expect(sets.put("s", SPEC, elements, { expected: 1 })).rejects.toMatchObject({
      code: "GENERATION_CONFLICT",
      generation: 0,
    });
    await sets.put("s", SPEC, elements, { expected: 0 });
    await expect(sets.put("s", SPEC, elements, { expected: 0 })).rejects.toMatchObject({
      code: "GENERATION_CONFLICT",
      generation: 1,
      message: expect.stringContaining('"s" is at generation 1'),
    });
    await sets.put("s", SPEC, [elementsOf(numbers(0, 11))], { expected: 1 });
    expect((await sets.get("s")).manifest.generation).toBe(2);
  });

  test("of controllers that race on a generation one wins, and the others are told the present one", async () => {
    const { fresh, sets } = await openSets(kind);
    await sets.put("s", SPEC, []);
    const controllers = await Promise.all(
      Array.from({ length: 8 }, async () => new MapSets(await fresh.connect())),
    );
    const races = await Promise.allSettled(
      controllers.map((one, index) =>
        one.put("s", SPEC, [elementsOf(numbers(0, 5000, () => index))], { expected: 1 }),
      ),
    );
    const winners = races.flatMap(({ status }, index) => (status === "fulfilled" ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const race of races) {
      if (race.status === "rejected") {
        expect(race.reason).toMatchObject({ code: "GENERATION_CONFLICT", generation: 2 });
      }
    }
    expect(await readSet(sets, "s")).toEqual(new Map(numbers(0, 5000, () => winners[0]!)));
  });

  test("nothing is in force where the stream of elements breaks off", async () => {
    const { sets, store } = await openSets(kind);
    await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    async function* broken() {
      yield elementsOf(numbers(0, 5000));
      throw new Error("cut");
    }
    const { revision } = await store.range({ range: ALL_KEYS, keysOnly: true });
    await expect(sets.put("s", SPEC, broken())).rejects.toThrow("cut");
    await expect(sets.put("t", SPEC, broken())).rejects.toThrow("cut");
    expect(await readSet(sets, "s")).toEqual(new Map(numbers(0, 10)));
    await expect(sets.get("t")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await store.range({ range: ALL_KEYS, keysOnly: true })).revision).toBe(revision);
  });

  test.each([
    [
      "a key that comes twice",
      [
        elementsOf([
          [1, 1],
          [2, 2],
          [1, 3],
        ]),
      ],
      "elements",
      "key 00000001 is given twice",
    ],
    [
      "a key that comes twice, far from each other",
      [elementsOf(numbers(0, 9000)), elementsOf([[7, 7]])],
      "elements",
      "key 00000007 is given twice",
    ],
    [
      "keys that are fewer than it says",
      [{ ...elementsOf(numbers(0, 3)), count: 4 }],
      "elements.keys",
      "12 bytes are not 4 of 4 bytes",
    ],
    [
      "values that are fewer than keys",
      [{ ...elementsOf(numbers(0, 3)), values: new Uint8Array(8) }],
      "elements.values",
      "8 bytes are not 3 of 4 bytes",
    ],
  ])("refuses %s, whole", async (_, elements, field, message) => {
    const { sets } = await openSets(kind);
    const refused = sets.put("s", SPEC, elements);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field });
    await expect(refused).rejects.toThrow(message);
    await expect(sets.get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("refuses names, sizes and amounts that no set has", async () => {
    const { sets } = await openSets(kind, { maxBytes: 1000 });
    for (const name of ["", "a/b", "-a", "a b", "ä", "x".repeat(64)]) {
      const refused = sets.put(name, SPEC, []);
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field: "name" });
    }
    await expect(sets.put("s", { ...SPEC, keySize: 0 }, [])).rejects.toMatchObject({
      field: "key_size",
    });
    await expect(sets.put("s", { ...SPEC, valueSize: 600_000 }, [])).rejects.toMatchObject({
      field: "value_size",
    });
    await expect(sets.put("s", SPEC, [elementsOf(numbers(0, 126))])).rejects.toMatchObject({
      code: "TOO_LARGE",
    });
    await sets.put("s", SPEC, [elementsOf(numbers(0, 125))]);
  });

  test("refuses a description that no transaction can hold", async () => {
    const { sets } = await openSets(kind);
    const hostIds = Array.from({ length: 5000 }, (_, index) => `node-${index}`.padEnd(100, "x"));
    const refused = sets.put("s", { ...SPEC, selector: { hostIds } }, []);
    await expect(refused).rejects.toMatchObject({ code: "TOO_LARGE" });
    await expect(sets.get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("elements of half a megabyte are segments of their own", async () => {
    const { sets } = await openSets(kind);
    const spec = { ...SPEC, valueSize: 512 * 1024 - 4 };
    await sets.put("s", spec, [elementsOf(numbers(0, 3), spec)]);
    expect(await readSet(sets, "s")).toEqual(new Map(numbers(0, 3)));
  });

  test("a set that is made anew after its deletion is another one", async () => {
    const { sets } = await openSets(kind);
    await expect(sets.delete("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
    const { manifest: first } = await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    await sets.put("s", SPEC, []);
    await expect(sets.delete("s", { expected: 1 })).rejects.toMatchObject({
      code: "GENERATION_CONFLICT",
      generation: 2,
    });
    expect(await sets.delete("s", { expected: 2 })).toMatchObject({ generation: 2 });
    await expect(sets.get("s")).rejects.toMatchObject({ code: "NOT_FOUND" });
    const { manifest: second } = await sets.put("s", SPEC, [elementsOf(numbers(0, 10))]);
    expect(second).toMatchObject({ generation: 1, digest: first.digest });
    expect(second.id).not.toBe(first.id);
    await sets.put("s", SPEC, []);
    expect(await readSet(sets, "s", 1)).toEqual(new Map(numbers(0, 10)));
  });

  test("lists sets by name, in pages", async () => {
    const { sets } = await openSets(kind);
    for (const name of ["b", "a", "a.1", "a-1"]) await sets.put(name, SPEC, []);
    const names: string[] = [];
    for (let after: string | undefined = ""; after !== undefined; ) {
      const { manifests, more } = await sets.list({ after, limit: 2 });
      names.push(...manifests.map(({ name }) => name));
      after = more ? names.at(-1) : undefined;
    }
    expect(names).toEqual(["a", "a-1", "a.1", "b"]);
  });
}
