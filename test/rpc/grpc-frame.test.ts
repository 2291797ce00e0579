import fc from "fast-check";
import { expect, it } from "vitest";
import { FRAME_HEADER, framed, frameInPlaceInterceptor } from "#dist/rpc/grpc-frame.js";

type Call = Parameters<typeof frameInPlaceInterceptor>[1];
type Method = Parameters<typeof frameInPlaceInterceptor>[0];

/** How grpc-js makes bytes of a message: a frame and a copy. */
function serializeMessage(message: Buffer): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, FRAME_HEADER);
  return frame;
}

function serializer(method: Partial<Method>): (message: Buffer) => Buffer {
  const call = { serializeMessage };
  frameInPlaceInterceptor(method as Method, call as unknown as Call);
  return call.serializeMessage;
}

it("sends of a framed message what grpc-js would, from the message's own memory", () => {
  const serialize = serializer({ responseStream: true });
  const room = fc.nat(20);
  fc.assert(
    fc.property(room, fc.uint8Array({ maxLength: 300 }), room, (before, body, after) => {
      const memory = new Uint8Array(before + FRAME_HEADER + body.length + after).fill(0xa5);
      const start = before + FRAME_HEADER;
      memory.set(body, start);
      const message = framed(memory, start, start + body.length);
      expect(message).toEqual(Buffer.from(body));
      const sent = serialize(message);
      expect(sent).toEqual(serializeMessage(message));
      expect(sent.buffer).toBe(memory.buffer);
      const around = [...memory.subarray(0, before), ...memory.subarray(start + body.length)];
      expect(around.every((byte) => byte === 0xa5)).toBe(true);
    }),
  );
});

it("leaves other messages, and calls with one answer, to grpc-js", () => {
  const plain = Buffer.from([1, 2, 3]);
  expect(serializer({ responseStream: true })(plain)).toEqual(serializeMessage(plain));
  expect(serializer({ responseStream: false })).toBe(serializeMessage);
});
