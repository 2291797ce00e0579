import type { OutgoingHttpHeaders } from "node:http2";
import { MapType } from "@bpfmapd/client/proto";
import { type DescMethod, fromBinary, type Message } from "@bufbuild/protobuf";
import { frames } from "../../service/support/raw-grpc.js";
import type { Dice } from "./dice.js";
import { type FuzzSubject, fieldMakers } from "./field-makers.js";
import { strangeBody } from "./frame-mutator.js";
import type { FuzzStage } from "./fuzz-stage.js";
import { MessageMaker } from "./message-maker.js";
import { messageMenders } from "./message-menders.js";
import { OwnObjects } from "./own-objects.js";
import { strangeHeaders } from "./strange-headers.js";
import { WireMutator } from "./wire-mutator.js";

/** A call to make. */
export interface FuzzCall {
  /** What is sent: gRPC frames, or what only looks like them. */
  readonly body: Buffer;
  /** Pieces that it is sent in, for those who look at more than the whole. */
  readonly pieces: readonly Buffer[];
  /** Messages in it. */
  readonly count: number;
  /** Headers beside the usual, which they replace; undefined for a call like any other. */
  readonly headers: OutgoingHttpHeaders | undefined;
  /** Whether frames or headers break gRPC's own rules, which its library answers. */
  readonly isForeign: boolean;
}

const MUTATED = 0.4;
const NONSENSE = 0.25;
const FOREIGN = 0.04;
const TRIES = 8;

/** Types of the maps that an RPC is for, where it is for few. */
const FAVOURED: Readonly<Record<string, readonly MapType[]>> = {
  PushElements: [MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER],
  PopElements: [MapType.QUEUE, MapType.STACK],
  PeekElement: [MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER],
  ReadRecords: [MapType.RINGBUF, MapType.PERF_EVENT_ARRAY],
  WriteRecords: [MapType.USER_RINGBUF],
  ReadMemory: [MapType.ARRAY, MapType.ARENA],
  WriteMemory: [MapType.ARRAY, MapType.ARENA],
};

/** Makes the calls of one RPC after the other. */
export class FuzzRequests {
  readonly #rpc: DescMethod;
  readonly #dice: Dice;
  readonly #maker: MessageMaker;
  readonly #mutator: WireMutator;
  readonly #own: OwnObjects;
  readonly #subject: FuzzSubject;

  constructor(rpc: DescMethod, stage: FuzzStage, dice: Dice) {
    const types = FAVOURED[rpc.name];
    const favoured = stage.maps.filter(({ type, keySize }) =>
      types ? types.includes(type) : keySize > 0,
    );
    this.#rpc = rpc;
    this.#dice = dice;
    this.#subject = { favoured, position: 0 };
    this.#maker = new MessageMaker(dice, fieldMakers(stage, this.#subject), messageMenders(stage));
    this.#mutator = new WireMutator(dice);
    this.#own = new OwnObjects(stage);
  }

  /** The next call, of at most so many messages. */
  next(mostMessages: number): FuzzCall {
    const { methodKind } = this.#rpc;
    const isStream = methodKind === "client_streaming" || methodKind === "bidi_streaming";
    const count = isStream ? this.#streamLength(mostMessages) : 1;
    const messages = Array.from({ length: count }, (_, position) => {
      this.#subject.position = position;
      return this.#message();
    });
    const dice = this.#dice;
    const body = frames(...messages);
    const call = { body, pieces: [body], count, headers: undefined, isForeign: false };
    if (!dice.chance(FOREIGN)) return call;
    if (dice.chance(0.5)) return { ...call, headers: strangeHeaders(dice), isForeign: true };
    const strange = strangeBody(messages, dice);
    const whole = Buffer.concat(strange.pieces);
    if (!strange.messages.every((bytes) => this.#isHarmless(bytes))) return call;
    return { ...call, ...strange, body: whole };
  }

  #streamLength(most: number): number {
    return this.#rpc.methodKind === "bidi_streaming" && most > 8
      ? most
      : this.#dice.pick([0, 1, 2, 2, 3, 5]);
  }

  #message(): Uint8Array {
    const dice = this.#dice;
    for (let tried = 0; tried < TRIES; tried++) {
      const made = this.#maker.bytes(this.#rpc.input);
      const bytes = dice.chance(MUTATED) ? this.#mutator.mutated(this.#rpc.input, made) : made;
      const message = this.#decoded(bytes);
      if (message ? this.#own.holds(this.#rpc.input, message) : this.#mayBeNonsense()) return bytes;
    }
    return Buffer.alloc(0);
  }

  /** Whether bytes that are no message may be sent: they end streams, and get no further. */
  #mayBeNonsense(): boolean {
    return this.#dice.chance(this.#subject.position === 0 ? NONSENSE : NONSENSE / 20);
  }

  #isHarmless(bytes: Uint8Array): boolean {
    const message = this.#decoded(bytes);
    return message === undefined || this.#own.holds(this.#rpc.input, message);
  }

  /** The message, if it is one: the daemon decodes it with the same library. */
  #decoded(bytes: Uint8Array): Message | undefined {
    try {
      return fromBinary(this.#rpc.input, bytes);
    } catch {
      return undefined;
    }
  }
}
