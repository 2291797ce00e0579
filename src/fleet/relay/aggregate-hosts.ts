import {
  type AggregateElementsRequest,
  AggregateElementsRequestSchema,
} from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";
import { MapError } from "../../maps/index.js";
import type { CounterSample } from "../aggregate/counter-step.js";
import {
  type FleetAggregate,
  FleetFold,
  type HostAggregate,
  type HostSamples,
} from "../aggregate/fleet-fold.js";
import { hostAnswer } from "../aggregate/host-answer.js";
import { HostCallError } from "../host-call.js";
import { type FanOut, type FanOutParts, fanOut, type HostResult } from "./fan-out.js";

const RPC = "bpfmap.v1.MapService/AggregateElements";
/** Failures that are told with why. */
const TOLD_FAILURES = 100;
/** What is asked of each host where the request does not say: see AggregateRequest. */
const KEYS_FACTOR = 4;
const LEAST_KEYS = 100;
const MOST_KEYS = 10_000;

/** What to fold over which hosts. */
export interface AggregateCall
  extends Pick<FanOut, "selector" | "origin" | "requestId" | "concurrency" | "hostTimeoutMs"> {
  readonly elements: AggregateElementsRequest;
  /** Keys that each host tells; 0 for as many as is good. */
  readonly keysPerHost: number;
  /** How often to ask anew; absent for once. */
  readonly intervalMs: number | undefined;
  /** Whether to tell what each host has answered. */
  readonly perHost: boolean;
}

/** A host that did not answer. */
export interface HostFailure {
  readonly hostId: string;
  readonly error: HostCallError;
}

/** What one round comes to. */
export interface AggregateRound {
  readonly matched: number;
  readonly failed: number;
  readonly unreachable: number;
  /** Some of them, by id. */
  readonly failures: readonly HostFailure[];
  readonly aggregate: FleetAggregate;
  /** By id; empty unless asked for. */
  readonly hosts: readonly (readonly [hostId: string, host: HostAggregate])[];
}

/**
 * Asks all hosts that match, and folds what they answer as it comes; with an interval, again and
 * again. Throws NO_HOST_MATCHES where there is none in the first round.
 */
export async function* aggregateHosts(
  parts: FanOutParts,
  call: AggregateCall,
  signal: AbortSignal,
): AsyncGenerator<AggregateRound, void> {
  const { clock } = parts;
  const { intervalMs } = call;
  let before: HostSamples | undefined;
  for (;;) {
    const begun = clock.now();
    const round = new Round(call, before);
    await round.run(parts, signal);
    yield round.result();
    if (intervalMs === undefined) return;
    before = round.samples;
    await clock.sleep(Math.max(0, begun + intervalMs - clock.now()), signal);
  }
}

/** One question to all hosts. */
class Round {
  readonly #call: AggregateCall;
  readonly #before: HostSamples | undefined;
  readonly #fold: FleetFold;
  readonly #hosts: [string, HostAggregate][] = [];
  #failures: HostFailure[] = [];
  /** The samples before of hosts that did not answer now: their next step is from there. */
  readonly #kept = new Map<string, readonly CounterSample[]>();
  #failed = 0;
  #unreachable = 0;

  constructor(call: AggregateCall, before: HostSamples | undefined) {
    const { fields, top } = call.elements;
    this.#call = call;
    this.#before = before;
    this.#fold = new FleetFold({ fields: fields.length, top }, before);
  }

  async run(parts: FanOutParts, signal: AbortSignal): Promise<void> {
    const { selector, origin, requestId, concurrency, hostTimeoutMs } = this.#call;
    const fan: FanOut = {
      ...{ selector, origin, requestId, concurrency, hostTimeoutMs },
      ...{ rpc: RPC, requests: [encoded(this.#call)], isStream: false },
      ...{ timeoutMs: undefined, maxFailures: undefined },
    };
    try {
      for await (const event of fanOut(parts, fan, signal)) {
        if (event.kind === "result") this.#take(event);
      }
    } catch (error) {
      // Later all hosts may have left; others may come.
      const isEmpty = error instanceof MapError && error.reason === "NO_HOST_MATCHES";
      if (!isEmpty || !this.#before) throw error;
    }
  }

  /** What the counters stood at last, for the next round. */
  get samples(): HostSamples {
    return new Map([...this.#kept, ...this.#fold.samples]);
  }

  result(): AggregateRound {
    const aggregate = this.#fold.result();
    this.#trimFailures();
    return {
      matched: aggregate.hosts + this.#failed + this.#unreachable,
      failed: this.#failed,
      unreachable: this.#unreachable,
      failures: this.#failures,
      aggregate,
      hosts: this.#hosts.sort(([a], [b]) => (a < b ? -1 : 1)),
    };
  }

  #take({ hostId, outcome, response, error }: HostResult): void {
    if (outcome === "ok") {
      this.#add(hostId, response);
      return;
    }
    if (outcome === "unreachable") this.#unreachable++;
    else this.#failed++;
    this.#fail(hostId, error ?? unanswered(hostId, "it was not asked"));
  }

  #add(hostId: string, response: Uint8Array | undefined): void {
    try {
      if (!response) throw new Error("it has ended without one");
      const host = hostAnswer(response, this.#call.elements.fields.length);
      this.#fold.add(hostId, host);
      if (this.#call.perHost) this.#hosts.push([hostId, host]);
    } catch (error) {
      this.#failed++;
      this.#fail(hostId, unanswered(hostId, (error as Error).message));
    }
  }

  #fail(hostId: string, error: HostCallError): void {
    const known = this.#before?.get(hostId);
    if (known) this.#kept.set(hostId, known);
    this.#failures.push({ hostId, error });
    if (this.#failures.length > 2 * TOLD_FAILURES) this.#trimFailures();
  }

  #trimFailures(): void {
    this.#failures = this.#failures
      .sort((a, b) => (a.hostId < b.hostId ? -1 : 1))
      .slice(0, TOLD_FAILURES);
  }
}

/** What each host is asked. */
function encoded({ elements, keysPerHost }: AggregateCall): Uint8Array {
  const { top } = elements;
  if (!top) return toBinary(AggregateElementsRequestSchema, elements);
  const least = Math.max(LEAST_KEYS, Math.min(MOST_KEYS, top.limit * KEYS_FACTOR));
  const limit = keysPerHost || least;
  const request = create(AggregateElementsRequestSchema, { ...elements, top: { ...top, limit } });
  return toBinary(AggregateElementsRequestSchema, request);
}

function unanswered(hostId: string, why: string): HostCallError {
  const error = new MapError(
    "INTERNAL",
    `host ${hostId} has sent no answer that can be read: ${why}`,
    {
      metadata: { host: hostId },
    },
  );
  return new HostCallError(undefined, error, true);
}
