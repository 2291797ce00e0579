import type { EnumShape, TypeShape } from "#dist/maps/typing/type-shape.js";
import { type ExactJson, parseExact } from "./exact-json.js";

/*
 * bpftool and the daemon tell the same data in ways that differ; docs/typed-values.md
 * has the table. What is compared here is the data:
 *
 * - integers by their value: bpftool writes 64 bits as numbers, bitfields and 128 bits
 *   as hexadecimal strings without a sign, and enumerations without a name with one;
 * - bools and enumerations in bitfields, which bpftool writes as hexadecimal strings;
 * - members of anonymous structs, which bpftool puts into objects named "";
 * - variables of a data section, which bpftool puts into an array of objects;
 * - text, of which bpftool tells nothing past the first zero.
 */

/** Where the two differ, with the path; empty where they say the same. */
export function differences(
  shape: TypeShape,
  ours: string,
  theirs: ExactJson,
  path: string,
): string[] {
  const found: string[] = [];
  compare(shape, parseExact(ours), theirs, path, found);
  return found;
}

function compare(
  shape: TypeShape,
  ours: ExactJson,
  theirs: ExactJson,
  path: string,
  found: string[],
): void {
  switch (shape.kind) {
    case "composite": {
      const [own, other] = [membersOf(ours), membersOf(theirs)];
      if (own.map(([name]) => name).join() !== withNumbers(other).join()) {
        found.push(`${path}: members ${JSON.stringify([own, other])}`);
        return;
      }
      for (const [index, member] of shape.members.entries()) {
        const [a, b] = [own[index]?.[1], other[index]?.[1]];
        if (a && b) compare(member.shape, a, b, `${path}.${member.name}`, found);
      }
      return;
    }
    case "array":
      compareArrays(shape, ours, theirs, path, found);
      return;
    case "bool":
      if (isTrue(ours) !== isTrue(theirs)) found.push(described(path, ours, theirs));
      return;
    case "char":
      if (JSON.stringify(ours) !== JSON.stringify(theirs))
        found.push(described(path, ours, theirs));
      return;
    case "enum":
    case "int":
    case "bits": {
      const [a, b] = [ours, theirs].map((json) => integer(json, shape));
      const modulus = 1n << BigInt(shape.bits);
      const isSame = a !== undefined && b !== undefined && (a - b) % modulus === 0n;
      if (!isSame) found.push(described(path, ours, theirs));
      return;
    }
    case "float":
      throw new Error("bpftool 7.1 does not know floats");
  }
}

function compareArrays(
  shape: TypeShape & { kind: "array" },
  ours: ExactJson,
  theirs: ExactJson,
  path: string,
  found: string[],
): void {
  if (theirs.kind === "string") {
    const text = ours.kind === "string" ? ours.text : textOf(ours);
    if (text !== theirs.text) found.push(described(path, ours, theirs));
    return;
  }
  if (
    ours.kind !== "array" ||
    theirs.kind !== "array" ||
    ours.items.length !== theirs.items.length
  ) {
    found.push(described(path, ours, theirs));
    return;
  }
  for (const [index, item] of ours.items.entries()) {
    compare(shape.element, item, theirs.items[index] as ExactJson, `${path}[${index}]`, found);
  }
}

/** Members in order, those of unnamed ones and of the parts of a section in their place. */
function membersOf(json: ExactJson): (readonly [string, ExactJson])[] {
  if (json.kind !== "object") return [];
  return json.members.flatMap((member) => {
    const [name, value] = member;
    if (name === "") return membersOf(value);
    if (name.startsWith(".") && value.kind === "array") return value.items.flatMap(membersOf);
    return [member];
  });
}

function withNumbers(members: readonly (readonly [string, ExactJson])[]): string[] {
  const uses = new Map<string, number>();
  return members.map(([name]) => {
    const use = (uses.get(name) ?? 0) + 1;
    uses.set(name, use);
    return use === 1 ? name : `${name}#${use}`;
  });
}

function isTrue(json: ExactJson): boolean {
  if (json.kind === "word") return json.text === "true";
  return "text" in json && BigInt(json.text) !== 0n;
}

/** Numbers and names of an enumeration; undefined for what is neither. */
function integer(json: ExactJson, shape: TypeShape): bigint | undefined {
  if (!("text" in json)) return undefined;
  const named = shape.kind === "enum" ? numberOf(shape, json.text) : undefined;
  if (named !== undefined) return named;
  return /^(-?[0-9]+|0x[0-9a-f]+)$/.test(json.text) ? BigInt(json.text) : undefined;
}

function numberOf({ names }: EnumShape, text: string): bigint | undefined {
  const found = names.find(({ name }) => name === text);
  return found && BigInt(found.value);
}

/** Characters before the first zero. */
function textOf(json: ExactJson): string | undefined {
  if (json.kind !== "array") return undefined;
  const codes = json.items.map((item) => Number((item as { text: string }).text));
  return String.fromCharCode(...codes.slice(0, codes.indexOf(0)));
}

function described(path: string, ours: ExactJson, theirs: ExactJson): string {
  return `${path}: ${JSON.stringify(ours)} is not ${JSON.stringify(theirs)}`;
}
