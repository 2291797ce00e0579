import type { CallOrigin, HostSelector } from "@bpfmapd/client/proto";
import { MapError } from "../../maps/index.js";
import type { Clock } from "../clock.js";
import { HostCallError, type HostCaller } from "../host-call.js";
import type { HostDirectory } from "../members/host-directory.js";
import { hostMatcher } from "../selector.js";
import { FrameQueue } from "../session/frame-queue.js";
import { callErrorOf } from "./host-router.js";

/** Longer than what a host has itself, so that the host's own answer comes first. */
const TIMEOUT_GRACE_MS = 1000;

/** One call, for many hosts. */
export interface FanOut {
  readonly selector: HostSelector;
  /** The RPC, such as "bpfmap.v1.MapService/GetMap". */
  readonly rpc: string;
  /** Encoded requests. */
  readonly requests: readonly Uint8Array[];
  /** Whether each message of an answer is told as it comes, as an RPC may have many. */
  readonly isStream: boolean;
  readonly origin: CallOrigin;
  readonly requestId: string;
  readonly concurrency: number;
  readonly hostTimeoutMs: number;
  /** Of all hosts together; absent for as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** Failures after which no further host is called; absent for no limit. */
  readonly maxFailures: number | undefined;
}

export type Outcome = "ok" | "failed" | "unreachable" | "skipped";

/** What came of one host. */
export interface HostResult {
  readonly kind: "result";
  readonly hostId: string;
  readonly outcome: Outcome;
  /** The encoded answer of an RPC that has one. */
  readonly response?: Uint8Array | undefined;
  readonly error?: HostCallError | undefined;
  readonly tookMs: number;
}

/** What is told of a fan-out. */
export type FanOutEvent =
  | { readonly kind: "message"; readonly hostId: string; readonly response: Uint8Array }
  | HostResult
  | ({ readonly kind: "summary"; readonly matched: number } & Readonly<Record<Outcome, number>>);

/** What a fan-out needs of its relay. */
export interface FanOutParts {
  readonly directory: HostDirectory;
  readonly caller: HostCaller;
  readonly clock: Clock;
}

/** Calls every host that matches. Throws NO_HOST_MATCHES where there is none. */
export async function* fanOut(
  parts: FanOutParts,
  fan: FanOut,
  signal: AbortSignal,
): AsyncGenerator<FanOutEvent, void> {
  await parts.directory.ready();
  const hostIds = matching(parts.directory, fan.selector);
  const run = new FanOutRun(parts, fan, hostIds, signal);
  try {
    yield* run.events();
  } finally {
    run.stop();
  }
}

/** One fan-out in progress. */
class FanOutRun {
  readonly #parts: FanOutParts;
  readonly #fan: FanOut;
  readonly #waiting: string[];
  readonly #matched: number;
  readonly #events = new FrameQueue<FanOutEvent>();
  readonly #counts: Record<Outcome, number> = { ok: 0, failed: 0, unreachable: 0, skipped: 0 };
  /** Aborted when nobody listens any more, or the time is over. */
  readonly #stopped = new AbortController();
  readonly #signal: AbortSignal;
  readonly #endsAt: number;

  constructor(parts: FanOutParts, fan: FanOut, hostIds: readonly string[], signal: AbortSignal) {
    this.#parts = parts;
    this.#fan = fan;
    this.#waiting = [...hostIds].reverse();
    this.#matched = hostIds.length;
    this.#signal = AbortSignal.any([signal, this.#stopped.signal]);
    this.#endsAt = parts.clock.now() + (fan.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  events(): AsyncIterable<FanOutEvent> {
    void this.#run().then(
      () => this.#events.end(),
      (error) => this.#events.end(error),
    );
    return this.#events;
  }

  /** Cancels what is under way. */
  stop(): void {
    this.#stopped.abort(new Error("the fan-out is over"));
  }

  async #run(): Promise<void> {
    const workers = Math.min(this.#fan.concurrency, this.#matched);
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
    this.#signal.throwIfAborted();
    await this.#events.send({ kind: "summary", matched: this.#matched, ...this.#counts });
  }

  async #work(): Promise<void> {
    for (let id = this.#waiting.pop(); id !== undefined; id = this.#waiting.pop()) {
      const result = this.#mayCall() ? await this.#callHost(id) : skipped(id);
      if (this.#signal.aborted) return;
      this.#counts[result.outcome]++;
      await this.#events.send(result);
    }
  }

  #mayCall(): boolean {
    const { failed, unreachable } = this.#counts;
    const { maxFailures = Number.POSITIVE_INFINITY } = this.#fan;
    const isTooMany = failed + unreachable > 0 && failed + unreachable >= maxFailures;
    return !isTooMany && this.#parts.clock.now() < this.#endsAt;
  }

  async #callHost(hostId: string): Promise<HostResult> {
    const { clock } = this.#parts;
    const begun = clock.now();
    const done = new AbortController();
    const timeoutMs = Math.min(this.#fan.hostTimeoutMs, this.#endsAt - begun);
    const late = new AbortController();
    void clock.sleep(timeoutMs + TIMEOUT_GRACE_MS, done.signal).then(
      () => late.abort(tooLate(timeoutMs)),
      () => {},
    );
    const signal = AbortSignal.any([this.#signal, late.signal]);
    try {
      const response = await this.#answer(hostId, timeoutMs, signal);
      return { kind: "result", hostId, outcome: "ok", response, tookMs: clock.now() - begun };
    } catch (thrown) {
      const error = callErrorOf(hostId, thrown);
      const outcome = isUnreachable(error) ? "unreachable" : "failed";
      return { kind: "result", hostId, outcome, error, tookMs: clock.now() - begun };
    } finally {
      done.abort();
    }
  }

  async #answer(
    hostId: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { rpc, requests, origin, requestId, isStream } = this.#fan;
    const call = { rpc, requests, origin, requestId, timeoutMs, signal };
    let answer: Uint8Array | undefined;
    for await (const response of this.#parts.caller.call(hostId, call)) {
      if (isStream) await this.#events.send({ kind: "message", hostId, response });
      else answer = response;
    }
    return answer;
  }
}

function matching(directory: HostDirectory, selector: HostSelector): string[] {
  const isChosen = hostMatcher(selector);
  const known = directory.ids.filter((id) => {
    const host = directory.host(id);
    return host !== undefined && isChosen(host);
  });
  if (known.length > 0) return [...known, ...namedButUnknown(directory, selector)];
  const hosts = String(directory.ids.length);
  throw new MapError(
    "NO_HOST_MATCHES",
    `the selector matches none of the fleet's ${hosts} hosts: ListHosts shows their ids and labels`,
    { metadata: { hosts } },
  );
}

/** A host that is named and not there is told of, rather than left out in silence. */
function namedButUnknown(
  directory: HostDirectory,
  { hostIds, labels, requirements }: HostSelector,
): string[] {
  if (requirements.length > 0 || Object.keys(labels).length > 0) return [];
  return [...new Set(hostIds)].filter((id) => directory.host(id) === undefined);
}

function skipped(hostId: string): HostResult {
  return { kind: "result", hostId, outcome: "skipped", tookMs: 0 };
}

function isUnreachable({ cause }: HostCallError): boolean {
  return cause?.reason === "HOST_UNREACHABLE";
}

function tooLate(timeoutMs: number): HostCallError {
  const error = new MapError(
    "HOST_UNREACHABLE",
    `the host has not answered within ${Math.round(timeoutMs)} ms, nor said that it was too late`,
  );
  return new HostCallError(undefined, error, true);
}
