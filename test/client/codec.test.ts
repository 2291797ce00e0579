import { BpfmapError } from "@bpfmapd/client";
import {
  array,
  be16,
  be32,
  be64,
  bool,
  bytes,
  type Codec,
  decode,
  encode,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  ipv4,
  ipv6,
  mac,
  prefix,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
} from "@bpfmapd/client/codec";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex } from "../service/support/elements.js";

const octet = fc.nat(255);
const cases: [name: string, codec: Codec<unknown>, values: fc.Arbitrary<unknown>][] = [
  ["u8", u8, octet],
  ["i8", i8, fc.integer({ min: -128, max: 127 })],
  ["u16", u16, fc.nat(0xffff)],
  ["i16", i16, fc.integer({ min: -32768, max: 32767 })],
  ["u32", u32, fc.nat(0xffff_ffff)],
  ["i32", i32, fc.integer()],
  ["u64", u64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  ["i64", i64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ["f32", f32, fc.float()],
  ["f64", f64, fc.double()],
  ["be16", be16, fc.nat(0xffff)],
  ["be32", be32, fc.nat(0xffff_ffff)],
  ["be64", be64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  ["bool", bool, fc.boolean()],
  ["bytes", bytes(5), fc.uint8Array({ minLength: 5, maxLength: 5 })],
  ["text", text(16), fc.stringMatching(/^[ -~äß€]{0,5}$/)],
  ["array", array(u16, 3), fc.array(fc.nat(0xffff), { minLength: 3, maxLength: 3 })],
  ["ipv4", ipv4, fc.ipV4()],
  ["mac", mac, fc.array(octet, { minLength: 6, maxLength: 6 }).map(macOf)],
  [
    "struct",
    struct({ a: u8, b: u64, c: ipv4 }),
    fc.record({ a: octet, b: fc.bigInt({ min: 0n, max: 99n }), c: fc.ipV4() }),
  ],
];

function macOf(octets: number[]): string {
  return octets.map((each) => each.toString(16).padStart(2, "0")).join(":");
}

describe.each(cases)("%s", (_name, codec, values) => {
  it("reads what it wrote, in either byte order", () => {
    fc.assert(
      fc.property(values, fc.boolean(), (value, littleEndian) => {
        const encoded = encode(codec, value, littleEndian);
        expect(encoded.length).toBe(codec.size);
        expect(decode(codec, encoded, littleEndian)).toEqual(value);
      }),
    );
  });
});

it("writes ipv6 addresses of every form, and reads them as RFC 5952 recommends", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const encoded = encode(ipv6, address, true);
      const read = decode(ipv6, encoded, true);
      // The URL parser of Node is another reader of the same text.
      expect(new URL(`http://[${read}]/`).hostname).toBe(new URL(`http://[${address}]/`).hostname);
      expect(hex(encode(ipv6, read, true))).toBe(hex(encoded));
    }),
  );
  expect(decode(ipv6, encode(ipv6, "2001:DB8:0:0:1:0:0:1", true), true)).toBe("2001:db8::1:0:0:1");
  expect(decode(ipv6, encode(ipv6, "::", true), true)).toBe("::");
  expect(decode(ipv6, encode(ipv6, "1::", true), true)).toBe("1::");
  expect(decode(ipv6, encode(ipv6, "0:1:0:1:0:1:0:1", true), true)).toBe("0:1:0:1:0:1:0:1");
  expect(hex(encode(ipv6, "::ffff:192.0.2.1", true))).toBe("00000000000000000000ffffc0000201");
});

describe("bytes", () => {
  it.each<[string, Codec<unknown>, unknown, boolean, string]>([
    ["of a number in the host's order", u32, 1, true, "01000000"],
    ["of a number of a big-endian host", u32, 1, false, "00000001"],
    ["of a number in network order", be16, 443, true, "01bb"],
    ["of a text that is padded", text(4), "ab", true, "61620000"],
    ["of a text that fills its array", text(2), "ab", true, "6162"],
    ["of a prefix", prefix(ipv4), "192.0.2.0/24", true, "18000000c0000200"],
    [
      "of a struct, padded as C pads it",
      struct({ a: u8, b: u16, c: u64, d: u8 }),
      { a: 1, b: 2, c: 3n, d: 4 },
      true,
      "01000200000000000300000000000000" + "0400000000000000",
    ],
    [
      "of a packed struct",
      struct({ a: u8, b: u16 }, { packed: true }),
      { a: 1, b: 2 },
      true,
      "010200",
    ],
    [
      "of a struct within a struct",
      struct({ a: u8, in: struct({ b: u32 }) }),
      { a: 1, in: { b: 2 } },
      true,
      "0100000002000000",
    ],
  ])("are those %s", (_what, codec, value, littleEndian, wanted) => {
    expect(hex(encode(codec, value, littleEndian))).toBe(wanted);
  });
});

describe("values that do not fit are refused:", () => {
  it.each<[string, Codec<unknown>, unknown]>([
    ["256 as u8", u8, 256],
    ["-1 as u32", u32, -1],
    ["a fraction", u16, 1.5],
    ["NaN as a whole number", i32, Number.NaN],
    ["a number as u64", u64, 1],
    ["2^64 as u64", u64, 2n ** 64n],
    ["a text as a float", f64, "1"],
    ["4 bytes for 5", bytes(5), new Uint8Array(4)],
    ["a long text", text(2), "€"],
    ["a text with a zero byte", text(8), "a\0b"],
    ["a short array", array(u8, 2), [1]],
    ["a missing member", struct({ a: u8, b: u8 }), { a: 1 }],
    ["an unknown member", struct({ a: u8 }), { a: 1, c: 2 }],
    ["an IPv6 address as IPv4", ipv4, "::1"],
    ["an address with a zone", ipv6, "fe80::1%eth0"],
    ["a short MAC address", mac, "00:11:22:33:44"],
    ["a prefix without its length", prefix(ipv4), "192.0.2.0"],
    ["a prefix longer than its address", prefix(ipv4), "192.0.2.0/33"],
    ["a prefix with host bits", prefix(ipv4), "192.0.2.1/24"],
    ["1 as bool", bool, 1],
  ])("%s", (_what, codec, value) => {
    expect(() => encode(codec, value, true)).toThrow(BpfmapError);
  });
});
