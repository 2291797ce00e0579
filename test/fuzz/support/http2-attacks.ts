import { call, callHeaders, Flag, frame, headerBlock, settings, Type, word } from "./http2-wire.js";

/** Bytes that follow the preface and the settings of a connection. */
export type Attack = readonly [title: string, bytes: () => Buffer];

const ONE = Buffer.alloc(1);
const open = (stream: number, more: readonly (readonly [string, string | Buffer])[] = []) =>
  frame(Type.HEADERS, Flag.END_HEADERS, stream, headerBlock([...callHeaders(), ...more]));
const block = (hex: string) =>
  frame(Type.HEADERS, Flag.END_HEADERS, 1, Buffer.from(hex.replaceAll(" ", ""), "hex"));
const headers = (...list: [string, string][]) =>
  frame(Type.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, headerBlock(list));
const without = (name: string) => callHeaders().filter(([one]) => one !== name);
const [METHOD, SCHEME, PATH] = callHeaders();

/** Frames with wrong lengths, on wrong streams, with wrong contents: some of each type. */
export const BAD_FRAMES: readonly Attack[] = [
  ["DATA on no stream", () => frame(Type.DATA, 0, 0, ONE)],
  ["DATA on a stream that is not open", () => frame(Type.DATA, 0, 7, ONE)],
  [
    "DATA with more padding than it is long",
    () => Buffer.concat([open(1), frame(Type.DATA, Flag.PADDED, 1, Buffer.of(200, 0))]),
  ],
  [
    "DATA longer than a frame may be",
    () => Buffer.concat([open(1), frame(Type.DATA, 0, 1, Buffer.alloc(16_385))]),
  ],
  [
    "DATA behind the end of its stream",
    () => Buffer.concat([call(1), frame(Type.DATA, 0, 1, ONE)]),
  ],
  [
    "DATA past the window",
    () =>
      Buffer.concat([
        open(1),
        ...Array.from({ length: 80 }, () => frame(Type.DATA, 0, 1, Buffer.alloc(16_384, 255))),
      ]),
  ],
  ["HEADERS on no stream", () => open(0)],
  ["HEADERS on a stream of the server's", () => open(2)],
  ["HEADERS on a stream that went before", () => Buffer.concat([call(5), call(3)])],
  ["HEADERS twice on a stream", () => Buffer.concat([open(1), open(1)])],
  [
    "HEADERS with more padding than they are long",
    () => frame(Type.HEADERS, Flag.END_HEADERS | Flag.PADDED, 1, Buffer.of(99, 0)),
  ],
  [
    "HEADERS that depend on themselves",
    () =>
      frame(
        Type.HEADERS,
        Flag.END_HEADERS | Flag.PRIORITY,
        1,
        Buffer.concat([word(1), ONE, headerBlock(callHeaders())]),
      ),
  ],
  [
    "HEADERS that another frame interrupts",
    () => Buffer.concat([frame(Type.HEADERS, 0, 1, headerBlock([METHOD!])), call(3)]),
  ],
  ["no headers at all", () => frame(Type.HEADERS, Flag.END_HEADERS, 1)],
  ["headers without a path", () => headers(...(without(":path") as [string, string][]))],
  ["headers without a method", () => headers(...(without(":method") as [string, string][]))],
  ["two paths", () => open(1, [[":path", "/x"]])],
  ["a pseudo header that does not exist", () => open(1, [[":what", "x"]])],
  ["a header in capitals", () => open(1, [["X-Big", "x"]])],
  ["a header of HTTP/1", () => open(1, [["connection", "keep-alive"]])],
  ["a header with a line break", () => open(1, [["x-line", "a\r\nb: c"]])],
  ["a header with a zero", () => open(1, [["x-zero", "a\0b"]])],
  ["a header without a name", () => open(1, [["", "x"]])],
  ["a path that is none", () => headers(METHOD as never, SCHEME as never, [":path", "*\0"])],
  [
    "CONNECT",
    () => headers([":method", "CONNECT"], [":authority", "localhost:1"], PATH as [string, string]),
  ],
  ["HPACK: index 0", () => block("80")],
  ["HPACK: an index past the table", () => block("ff 80 01")],
  ["HPACK: a number without end", () => block("ff ff ff ff ff ff ff ff ff ff 7f")],
  ["HPACK: a text longer than the block", () => block("00 7f ff 03")],
  ["HPACK: a Huffman code with its end in it", () => block("00 84 ff ff ff ff 00")],
  ["HPACK: a table larger than was agreed on", () => block("3f ff ff 7f 80")],
  ["HPACK: a table that changes size behind a header", () => block("82 20")],
  ["PRIORITY on no stream", () => frame(Type.PRIORITY, 0, 0, Buffer.alloc(5))],
  ["PRIORITY of 4 bytes", () => frame(Type.PRIORITY, 0, 1, Buffer.alloc(4))],
  ["PRIORITY on itself", () => frame(Type.PRIORITY, 0, 3, Buffer.concat([word(3), ONE]))],
  ["RST_STREAM on no stream", () => frame(Type.RST_STREAM, 0, 0, word(8))],
  ["RST_STREAM on a stream that is not open", () => frame(Type.RST_STREAM, 0, 9, word(8))],
  ["RST_STREAM of 3 bytes", () => frame(Type.RST_STREAM, 0, 1, Buffer.alloc(3))],
  ["SETTINGS on a stream", () => frame(Type.SETTINGS, 0, 1)],
  ["SETTINGS of 5 bytes", () => frame(Type.SETTINGS, 0, 0, Buffer.alloc(5))],
  ["SETTINGS that are confirmed with contents", () => frame(Type.SETTINGS, 1, 0, Buffer.alloc(6))],
  ["SETTINGS that nobody sent, confirmed", () => frame(Type.SETTINGS, 1, 0)],
  ["SETTINGS: a push that is 2", () => settings([2, 2])],
  ["SETTINGS: a window of 4 GiB", () => settings([4, 2 ** 32 - 1])],
  ["SETTINGS: a window of nothing", () => Buffer.concat([settings([4, 0]), call(1)])],
  ["SETTINGS: frames of a byte", () => settings([5, 1])],
  ["SETTINGS: frames of 16 MiB and more", () => settings([5, 2 ** 24])],
  ["SETTINGS: no header at all fits", () => Buffer.concat([settings([6, 0], [1, 0]), call(1)])],
  ["SETTINGS: no streams", () => Buffer.concat([settings([3, 0]), call(1)])],
  ["SETTINGS that do not exist", () => settings([99, 1], [0xffff, 2 ** 32 - 1])],
  [
    "SETTINGS, a thousand in one frame",
    () => settings(...Array.from({ length: 1000 }, (_, id) => [id, id] as const)),
  ],
  [
    "PUSH_PROMISE of a client",
    () =>
      frame(
        Type.PUSH_PROMISE,
        Flag.END_HEADERS,
        1,
        Buffer.concat([word(2), headerBlock([METHOD!])]),
      ),
  ],
  ["PING of 7 bytes", () => frame(Type.PING, 0, 0, Buffer.alloc(7))],
  ["PING on a stream", () => frame(Type.PING, 0, 1, Buffer.alloc(8))],
  ["PING that nobody sent, answered", () => frame(Type.PING, 1, 0, Buffer.alloc(8))],
  ["GOAWAY of 3 bytes", () => frame(Type.GOAWAY, 0, 0, Buffer.alloc(3))],
  ["GOAWAY on a stream", () => frame(Type.GOAWAY, 0, 1, Buffer.alloc(8))],
  ["GOAWAY, and calls", () => Buffer.concat([frame(Type.GOAWAY, 0, 0, Buffer.alloc(8)), call(1)])],
  ["GOAWAY with 16 KiB of reasons", () => frame(Type.GOAWAY, 0, 0, Buffer.alloc(16_384, 65))],
  ["WINDOW_UPDATE of nothing", () => frame(Type.WINDOW_UPDATE, 0, 0, word(0))],
  [
    "WINDOW_UPDATE of nothing on a stream",
    () => Buffer.concat([open(1), frame(Type.WINDOW_UPDATE, 0, 1, word(0))]),
  ],
  ["WINDOW_UPDATE of 3 bytes", () => frame(Type.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
  ["WINDOW_UPDATE on a stream that is not open", () => frame(Type.WINDOW_UPDATE, 0, 9, word(1))],
  [
    "WINDOW_UPDATE past 2 GiB",
    () =>
      Buffer.concat([
        frame(Type.WINDOW_UPDATE, 0, 0, word(2 ** 31 - 1)),
        frame(Type.WINDOW_UPDATE, 0, 0, word(2 ** 31 - 1)),
      ]),
  ],
  [
    "WINDOW_UPDATE past 2 GiB on a stream",
    () => Buffer.concat([open(1), frame(Type.WINDOW_UPDATE, 0, 1, word(2 ** 31 - 1))]),
  ],
  ["CONTINUATION of nothing", () => frame(Type.CONTINUATION, Flag.END_HEADERS, 1, ONE)],
  [
    "CONTINUATION on another stream",
    () =>
      Buffer.concat([
        frame(Type.HEADERS, 0, 1, headerBlock([METHOD!])),
        frame(Type.CONTINUATION, Flag.END_HEADERS, 3, headerBlock([PATH!])),
      ]),
  ],
  ["a type that does not exist", () => frame(0xfe, 0xff, 1, Buffer.alloc(100))],
  ["a frame of 16 MiB", () => frame(Type.DATA, 0, 1, ONE, 2 ** 24 - 1)],
  ["all flags, and the reserved bit", () => frame(Type.HEADERS, 255, 2 ** 31 + 1, ONE)],
];

/** What is sent over and over: one round, for the number of the round from 0. */
export type Flood = readonly [
  title: string,
  rounds: number,
  round: (index: number) => Buffer,
  /** What is sent before the first round. */
  first: () => Buffer,
];

const odd = (index: number) => 2 * index + 1;
const again = (bytes: Buffer, times: number) => Buffer.concat(Array(times).fill(bytes));
const nothing = () => Buffer.alloc(0);
const HUGE = Buffer.alloc(16_000, 97);

export const FLOODS: readonly Flood[] = [
  ["SETTINGS", 400, () => again(settings([4, 65_535]), 100), nothing],
  ["PING", 400, () => again(frame(Type.PING, 0, 0, Buffer.alloc(8)), 100), nothing],
  [
    "calls that are reset at once",
    5000,
    (index) => Buffer.concat([open(odd(index)), frame(Type.RST_STREAM, 0, odd(index), word(8))]),
    nothing,
  ],
  ["calls that are never ended", 5000, (index) => open(odd(index)), nothing],
  ["calls whose answers nobody reads", 5000, (index) => call(odd(index)), nothing],
  ["calls of no method", 5000, (index) => call(odd(index), "no.such.Service/Method"), nothing],
  [
    "loads that end, whose pings nobody answers",
    5000,
    (index) => call(odd(index), "bpfmap.v1.MapService/LoadMap"),
    nothing,
  ],
  ["empty DATA", 400, () => again(frame(Type.DATA, 0, 1), 100), () => open(1)],
  [
    "PRIORITY",
    400,
    (index) => again(frame(Type.PRIORITY, 0, odd(index), Buffer.alloc(5, 1)), 100),
    nothing,
  ],
  ["WINDOW_UPDATE", 400, () => again(frame(Type.WINDOW_UPDATE, 0, 1, word(1)), 100), () => open(1)],
  [
    "CONTINUATION",
    1000,
    () => frame(Type.CONTINUATION, 0, 1, headerBlock([["x", HUGE]])),
    () => frame(Type.HEADERS, 0, 1, headerBlock(callHeaders())),
  ],
  [
    "empty CONTINUATION",
    400,
    () => again(frame(Type.CONTINUATION, 0, 1), 100),
    () => frame(Type.HEADERS, 0, 1, headerBlock(callHeaders())),
  ],
  [
    "headers that fill HPACK's table, and are named over and over",
    500,
    (index) => frame(Type.HEADERS, Flag.END_HEADERS, odd(index + 1), Buffer.alloc(16_000, 0xbe)),
    // A header "x" of 4000 bytes, which from then on is index 62.
    () =>
      frame(
        Type.HEADERS,
        Flag.END_HEADERS,
        1,
        Buffer.concat([Buffer.of(0x40, 1, 0x78, 127, 0xa1, 0x1e), Buffer.alloc(4000, 98)]),
      ),
  ],
  [
    "messages to a call that takes one",
    400,
    () => again(frame(Type.DATA, 0, 1, Buffer.alloc(5)), 100),
    () => open(1),
  ],
  ["frames that do not exist", 400, () => again(frame(0xfe, 0, 1, Buffer.alloc(64)), 100), nothing],
];
