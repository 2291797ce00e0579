import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePageToken, encodePageToken } from "#dist/rpc/messages/page-token.js";

test("a page token comes back as the id that it was made of", () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (id) => {
      expect(decodePageToken(encodePageToken(id))).toBe(id);
    }),
  );
});

test("the empty token is the first page", () => {
  expect(decodePageToken("")).toBeUndefined();
});

test.each(["x", "7", "AAAA", "AAAAAAA", "AAAAB===", "AAAA Bw", "AAAAB/", "AAAABx", "{}"])(
  "refuses %j, which this service never made, and names the field",
  (token) => {
    expect(() => decodePageToken(token)).toThrow(
      expect.objectContaining({
        reason: "FIELD_INVALID",
        violations: [expect.objectContaining({ field: "page_token" })],
      }),
    );
  },
);
