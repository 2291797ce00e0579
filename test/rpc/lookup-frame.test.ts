import { LookupElementsResponseSchema } from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeValues } from "#dist/rpc/messages/lookup-frame.js";

it("encodes values as the message that a client decodes", () => {
  const count = fc.constantFrom(0, 1, 127, 128, 65_536, 0xffffffff);
  const length = fc.constantFrom(0, 1, 8, 127, 128, 16_383, 16_384, 2_097_152);
  fc.assert(
    fc.property(count, length, (count, length) => {
      const values = new Uint8Array(length).fill(0xab);
      const { elements, failures } = fromBinary(
        LookupElementsResponseSchema,
        encodeValues(count, values),
      );
      expect(failures).toEqual([]);
      expect(elements?.count).toBe(count);
      expect(Buffer.compare(elements?.values ?? Buffer.alloc(0), values)).toBe(0);
      expect(elements?.keys.length).toBe(0);
    }),
  );
});
