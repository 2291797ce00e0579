import { isIPv4, isIPv6 } from "node:net";
import { invalidArgument } from "../errors.js";
import type { Codec } from "./codec.js";
import { u32 } from "./numbers.js";

/** An IPv4 address as text, such as "192.0.2.1"; 4 bytes in network byte order. */
export const ipv4: Codec<string> = {
  size: 4,
  alignment: 4,
  write(value, view, offset) {
    if (!isIPv4(value)) throw invalidArgument(`"${value}" is no IPv4 address`);
    for (const [index, part] of value.split(".").entries()) {
      view.setUint8(offset + index, Number(part));
    }
  },
  read: (view, offset) => [0, 1, 2, 3].map((index) => view.getUint8(offset + index)).join("."),
};

/**
 * An IPv6 address as text, such as "2001:db8::1"; 16 bytes in network byte order. Read in
 * the form that RFC 5952 recommends.
 */
export const ipv6: Codec<string> = {
  size: 16,
  alignment: 4,
  write(value, view, offset) {
    if (!isIPv6(value) || value.includes("%")) {
      throw invalidArgument(`"${value}" is no IPv6 address`);
    }
    for (const [index, group] of groupsOf(value).entries()) {
      view.setUint16(offset + 2 * index, group);
    }
  },
  read(view, offset) {
    const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(offset + 2 * index));
    return textOf(groups);
  },
};

/** A MAC address as text, such as "02:00:5e:00:53:01"; 6 bytes. */
export const mac: Codec<string> = {
  size: 6,
  alignment: 1,
  write(value, view, offset) {
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) {
      throw invalidArgument(`"${value}" is no MAC address`);
    }
    for (const [index, part] of value.split(":").entries()) {
      view.setUint8(offset + index, Number.parseInt(part, 16));
    }
  },
  read: (view, offset) =>
    Array.from({ length: 6 }, (_, index) =>
      view
        .getUint8(offset + index)
        .toString(16)
        .padStart(2, "0"),
    ).join(":"),
};

/**
 * The key of an LPM trie over addresses, as text: "192.0.2.0/24" with
 * `prefix(ipv4)`. Bits of the address past the prefix must be zero.
 */
export function prefix(address: Codec<string>): Codec<string> {
  const bits = 8 * address.size;
  return {
    size: u32.size + address.size,
    alignment: u32.alignment,
    write(value, view, offset, littleEndian) {
      const [head, length, ...rest] = value.split("/");
      if (!head || !length || rest.length > 0 || !/^\d{1,3}$/.test(length)) {
        throw invalidArgument(`"${value}" is no prefix: an address, "/" and a number of bits`);
      }
      if (Number(length) > bits) {
        throw invalidArgument(`"${value}" has more than the ${bits} bits of its address`);
      }
      const at = offset + u32.size;
      address.write(head, view, at, littleEndian);
      if (hasBitsPast(view, at, address.size, Number(length))) {
        throw invalidArgument(`"${value}" has bits set past its first ${length}`);
      }
      u32.write(Number(length), view, offset, littleEndian);
    },
    read: (view, offset, littleEndian) =>
      `${address.read(view, offset + u32.size, littleEndian)}/${u32.read(view, offset, littleEndian)}`,
  };
}

function hasBitsPast(view: DataView, offset: number, size: number, length: number): boolean {
  for (let bit = length; bit < 8 * size; bit += 1) {
    if ((view.getUint8(offset + (bit >> 3)) >> (7 - (bit & 7))) & 1) return true;
  }
  return false;
}

/** The eight groups of a valid address. */
function groupsOf(value: string): number[] {
  const [head = "", tail] = value.split("::");
  const before = groupList(head);
  if (tail === undefined) return before;
  const after = groupList(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function groupList(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zeros as "::". */
function textOf(groups: readonly number[]): string {
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length < 2) return hex.join(":");
  const head = hex.slice(0, best.start).join(":");
  return `${head}::${hex.slice(best.start + best.length).join(":")}`;
}
