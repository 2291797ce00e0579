import {
  ResyncReason,
  WatchFidelity,
  type WatchResponse,
  WatchResponseSchema,
  WriterKind,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { vi } from "vitest";
import { type Call, GroundTruth, type Held } from "./ground-truth.js";
import type { RecordedCall, Recording } from "./recording.js";

const MAP_ID = 7;
const BOOKMARK_MS = 100;
/** Time from one thing to the next. */
const STEP_MS = 10;
const SLOT_DIGITS = 16;

type MessageInit = NonNullable<MessageInitShape<typeof WatchResponseSchema>["kind"]>;
type Kind = WatchResponse["kind"];

/** What a story is about. */
export interface StoryOptions {
  readonly fidelity: "latest" | "every call";
  readonly previousValues?: boolean;
  readonly updatesOnly?: boolean;
  readonly perCpu?: boolean;
  readonly evicts?: boolean;
  /** The slot of a per-CPU value that the stream shows; all of it unless given. */
  readonly slot?: number;
}

/** A change as a stream tells it. */
export interface StoryRow {
  readonly key: string;
  readonly shown: Held;
  readonly previous?: string;
  /** Absent where no call is told. */
  readonly by?: Call;
}

/**
 * What was done to a map whose keys have one byte, and what one reader was told of it, both
 * made up, at times of a clock that only moves here (vi.useFakeTimers); then made untrue,
 * message by message.
 */
export class Story {
  readonly truths: ReadonlyMap<number, GroundTruth>;
  readonly recording: Recording & { readonly calls: RecordedCall[] };
  readonly #truth: GroundTruth;
  readonly #options: StoryOptions;
  #chooses: (key: string) => boolean = () => true;
  #revision = 1n;
  #bookmarked = 1n;

  constructor(options: StoryOptions) {
    const { fidelity, previousValues = false, updatesOnly = false } = options;
    const { perCpu, evicts = false, slot } = options;
    vi.setSystemTime(1_000_000);
    this.#options = options;
    this.#truth = new GroundTruth({
      evicts,
      isTraced: fidelity === "every call",
      ...(perCpu && { slotDigits: SLOT_DIGITS }),
    });
    this.truths = new Map([[MAP_ID, this.#truth]]);
    const from = (slot ?? 0) * SLOT_DIGITS;
    this.recording = {
      name: "story",
      request: {
        chooses: (key) => this.#chooses(key),
        view: (value) => (slot === undefined ? value : value.slice(from, from + SLOT_DIGITS)),
        isPartial: slot !== undefined,
        keysOnly: false,
        previousValues,
        updatesOnly,
        follow: false,
        bookmarkMs: BOOKMARK_MS,
      },
      calls: [{ resumeToken: undefined, messages: [], pauses: [] }],
    };
  }

  /** Lets time pass. */
  pass(ms: number): void {
    vi.setSystemTime(Date.now() + ms);
  }

  /** Somebody writes an element; "none": in place, so that there is no call to tell. */
  write(key: string, held: Held, call: Call | "none" = "syscall"): void {
    this.pass(STEP_MS);
    const by = "other";
    this.#truth.note(key, held, Date.now(), { by, call: call === "none" ? undefined : call });
  }

  create(): void {
    const isLatest = this.#options.fidelity === "latest";
    const fidelity = isLatest ? WatchFidelity.LATEST : WatchFidelity.EVERY_CALL;
    const map = { id: MAP_ID, keySize: 1 };
    this.#say({ case: "created", value: { map, valueStride: 8, fidelity } });
  }

  snapshot(contents: Readonly<Record<string, string>>): void {
    const rows = Object.entries(contents).map(([key, shown]) => ({ key, shown }));
    if (rows.length > 0) this.#tell(rows, true);
    this.bookmark(true);
  }

  /** Tells of what was done last. */
  tell(rows: readonly StoryRow[]): void {
    this.#revision++;
    this.#tell(rows, false);
  }

  /** Tells that all is told up to a scan of just now. */
  bookmark(snapshotDone = false): void {
    this.pass(STEP_MS);
    this.#bookmarked = this.#revision;
    const value = {
      resumeToken: Buffer.from(`${this.#revision}`),
      revision: this.#revision,
      snapshotDone,
      scanStarted: timestampFromMs(Date.now() - 1),
      scanFinished: timestampFromMs(Date.now()),
    };
    this.#say({ case: "bookmark", value });
  }

  /** Another call, from the last bookmark. */
  resume(): void {
    const resumeToken = Buffer.from(`${this.#bookmarked}`).toString("hex");
    this.recording.calls.push({ resumeToken, messages: [], pauses: [] });
    this.create();
  }

  drop(number: number): void {
    this.#messages.splice(number, 1);
  }

  /** Tells a message again, as a revision of its own, and then what the last message says. */
  repeat(number: number): void {
    const { value } = this.#events(number);
    this.#revision++;
    this.#say({ case: "events", value: { ...value, revision: this.#revision } });
    this.bookmark();
  }

  swap(one: number, other: number): void {
    const messages = this.#messages;
    [messages[one], messages[other]] = [messages[other]!, messages[one]!];
  }

  /** Swaps what two messages tell, but not when. */
  swapRows(one: number, other: number): void {
    const [first, second] = [this.#events(one).value, this.#events(other).value];
    [first.puts, second.puts] = [second.puts, first.puts];
    [first.writers, second.writers] = [second.writers, first.writers];
  }

  /** Has a put tell another value, or another value before: none where it is null. */
  show(number: number, shown: string, previous?: string | null): void {
    const { value } = this.#events(number);
    value.puts!.values = Buffer.from(shown, "hex");
    if (previous === undefined) return;
    value.previousPresent = Buffer.of(previous ? 1 : 0);
    if (previous) value.previous = Buffer.from(previous, "hex");
  }

  /** Has a message tell that it was seen at another time. */
  shift(number: number, ms: number): void {
    const { value } = this.#events(number);
    value.seenAfter = timestampFromMs(timestampMs(value.seenAfter!) + ms);
    value.seenBefore = timestampFromMs(timestampMs(value.seenBefore!) + ms);
  }

  /** Has a put be by another kind of call. */
  say(number: number, by: Call): void {
    this.#events(number).value.writers[0]!.kind = kindOf(by);
  }

  /** Has a put be of another key. */
  rename(number: number, key: string): void {
    this.#events(number).value.puts!.keys = Buffer.from(key, "hex");
  }

  /** Has the reader have asked for one key. */
  choose(key: string): void {
    this.#chooses = (one) => one === key;
  }

  /** Has a message and what follows come later. */
  wait(number: number, ms: number): void {
    const later = this.#messages
      .splice(number)
      .map(({ at, message }) => ({ at: at + ms, message }));
    this.#messages.push(...later);
  }

  sayGone(): void {
    this.#say({ case: "mapGone", value: { id: MAP_ID } });
  }

  sayResync(): void {
    this.#say({ case: "resync", value: { reason: ResyncReason.HISTORY_EXPIRED } });
  }

  get #messages(): { readonly at: number; readonly message: WatchResponse }[] {
    return this.recording.calls.at(-1)!.messages;
  }

  #events(number: number): Extract<Kind, { case: "events" }> {
    const kind = this.#messages[number]!.message.kind;
    if (kind.case !== "events") throw new Error(`message ${number} is no events`);
    return kind;
  }

  #tell(rows: readonly StoryRow[], initial: boolean): void {
    const [puts, deletes] = [true, false].map((isPut) =>
      rows.filter(({ shown }) => (shown !== undefined) === isPut),
    ) as [StoryRow[], StoryRow[]];
    const ordered = [...puts, ...deletes];
    const isPresent = ordered.map(({ previous }) => previous !== undefined);
    const value = {
      revision: this.#revision,
      initial,
      puts: {
        count: puts.length,
        keys: bytes(puts.map(({ key }) => key)),
        values: bytes(puts.map(({ shown }) => shown ?? "")),
      },
      deletes: { count: deletes.length, keys: bytes(deletes.map(({ key }) => key)) },
      writers: ordered.flatMap(({ by }) => (by ? [{ kind: kindOf(by) }] : [])),
      seenAfter: timestampFromMs(Date.now() - 1),
      seenBefore: timestampFromMs(Date.now() + 1),
      ...(this.#options.previousValues && {
        previous: bytes(ordered.map(({ previous }) => previous ?? "00".repeat(8))),
        previousPresent: Buffer.of(Number.parseInt(isPresent.map(Number).reverse().join(""), 2)),
      }),
    };
    this.#say({ case: "events", value });
  }

  #say(kind: MessageInit): void {
    this.#messages.push({ at: Date.now(), message: create(WatchResponseSchema, { kind }) });
  }
}

function kindOf(by: Call): WriterKind {
  return by === "program" ? WriterKind.PROGRAM : WriterKind.SYSCALL;
}

function bytes(hex: readonly string[]): Buffer {
  return Buffer.from(hex.join(""), "hex");
}
