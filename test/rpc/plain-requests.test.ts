import {
  DeleteElementsRequestSchema,
  LoadMapRequestSchema,
  LookupElementsRequestSchema,
  UpdateElementsRequestSchema,
} from "@bpfmapd/client/proto";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlain } from "#dist/rpc/plain-requests.js";

const validator = createValidator();

const seldom = <T>(value: T) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, fc.constant(value));
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom("é".repeat(31), "é".repeat(32), "/", "x".repeat(63), "x".repeat(64)),
  fc.constantFrom("x".repeat(4095), "x".repeat(4096), "é".repeat(2048)),
);
const ref = fc.oneof(
  fc.record({ case: fc.constant("id" as const), value: fc.constantFrom(0, 1, 0xffffffff) }),
  fc.record({ case: fc.constantFrom("pinPath" as const, "name", "held"), value: text }),
  fc.constant({ case: undefined }),
);
const map = fc.option(fc.record({ ref, bootId: seldom("x") }), {
  nil: undefined,
  freq: 10,
});
const bytes = fc.uint8Array({ maxLength: 3 });
const rarely = <T>(items: T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, fc.constant(items));
const number = fc.constantFrom(0, 1, 1, 2, 2, 3, 99);
const typing = seldom({ source: { case: "btfId", value: 0 } } as const);
const json = rarely(["1"]);
const objects = rarely([{ kind: { case: undefined } } as const]);
const elements = fc.option(
  fc.record({
    ...{ count: number, keys: bytes, values: bytes, jsonKeys: json, jsonValues: json },
    ...{ objectKeys: objects, objectValues: objects },
  }),
  { nil: undefined, freq: 10 },
);
const keys = {
  ...{ map, keys: bytes, count: number, onError: number, typing },
  ...{ jsonKeys: json, objectKeys: objects },
};
const cpuView = seldom({ view: { case: undefined } } as const);
const cpuTarget = seldom({ target: { case: "allCpus", value: false } } as const);

/** Requests, most of them plain or nearly so. */
const requests = {
  lookup: given(LookupElementsRequestSchema, fc.record({ ...keys, format: number, cpuView })),
  delete: given(DeleteElementsRequestSchema, fc.record(keys)),
  update: given(
    UpdateElementsRequestSchema,
    fc.record({ map, elements, mode: number, onError: number, cpuTarget, typing }),
  ),
  load: given(
    LoadMapRequestSchema,
    elements.map((value) => ({ kind: value && ({ case: "elements", value } as const) })),
  ),
};

function given(schema: DescMessage, init: fc.Arbitrary<unknown>) {
  const messages = init.map((one) => create(schema, one as MessageInitShape<DescMessage>));
  return { schema, messages };
}

describe.each(Object.entries(requests))("a request to %s", (_name, { schema, messages }) => {
  it("is plain only where protovalidate finds nothing at fault", () => {
    let plain = 0;
    fc.assert(
      fc.property(messages, (message) => {
        if (!isPlain(schema, message)) return;
        plain++;
        expect(validator.validate(schema as DescMessage, message).kind).toBe("valid");
      }),
      { numRuns: 1000 },
    );
    expect(plain).toBeGreaterThan(20);
  });
});

it("takes what clients send most for plain", () => {
  const one = { ref: { case: "id", value: 7 } } as const;
  const key = new Uint8Array(4);
  const plain = [
    [LookupElementsRequestSchema, { map: one, keys: key, count: 1, onError: 1 }],
    [DeleteElementsRequestSchema, { map: one, keys: key, count: 1 }],
    [UpdateElementsRequestSchema, { map: one, elements: { count: 1, keys: key, values: key } }],
    [LoadMapRequestSchema, { kind: { case: "elements", value: { count: 1, keys: key } } }],
  ] as [DescMessage, MessageInitShape<DescMessage>][];
  for (const [schema, init] of plain) expect(isPlain(schema, create(schema, init))).toBe(true);
});
