import { status } from "@bpfmapd/client";
import { type DescMethod, fromBinary, toJsonString } from "@bufbuild/protobuf";
import {
  cancel,
  inParallel,
  messagesOf,
  type Outcome,
  outcomeOf,
  RawConnection,
} from "../../service/support/raw-grpc.js";
import { wrongIn } from "./answer-check.js";
import { Dice } from "./dice.js";
import { ONLY, SEED, seedOf } from "./fuzz-size.js";
import type { FuzzStage } from "./fuzz-stage.js";
import { Progress } from "./progress.js";
import { type FuzzCall, FuzzRequests } from "./requests.js";
import { rpcName } from "./served-rpcs.js";

/** More at a time than the scans that a caller may have, so that this limit is met too. */
const AT_A_TIME = 100;
/** nghttp2 takes more than about a thousand cancelled calls on a connection for an attack. */
const CANCELS = 500;
const CUT = 0.01;
/** Even a busy host has begun to answer by then. */
const LATEST_MS = 30_000;
const MOST_WRONG = 5;

/** RPCs whose answers do not end by themselves. */
const ENDLESS: ReadonlySet<string> = new Set([
  "bpfmap.v1.MapService/Watch",
  "bpfmap.v1.MapService/ReadRecords",
  "grpc.health.v1.Health/Watch",
]);
/** RPCs that may wait for others: for room in a ring, which nobody reads here. */
const WAITING: ReadonlySet<string> = new Set(["bpfmap.v1.MapService/WriteRecords"]);

/** What became of the requests to one RPC. */
export interface Tally {
  /** Messages that were sent. */
  requests: number;
  /** Calls by the name of their status, and "CUT" for those that the client has cancelled. */
  readonly statuses: Map<string, number>;
  /** Calls that were answered: OK, or with a message before they were cancelled. */
  answered: number;
}

/** Sends random requests to RPCs of a daemon and looks at every answer. */
export class Campaign {
  readonly #socket: string;
  readonly #progress = new Progress();
  readonly #connections: RawConnection[] = [];
  /** One of each kind of answers that are not as they must be. */
  readonly #wrong = new Map<string, string>();
  #cancels = 0;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Sends that many requests to an RPC. Throws where an answer is not as it must be. */
  async run(rpc: DescMethod, stage: FuzzStage, requests: number): Promise<Tally> {
    const name = rpcName(rpc);
    const source = new FuzzRequests(rpc, stage, new Dice(seedOf(name)));
    const dice = new Dice(seedOf(`${name} cut`));
    const tally: Tally = { requests: 0, statuses: new Map(), answered: 0 };
    const isPipeline = name.endsWith("/Pipeline");
    let made = 0;
    const send = async () => {
      while (made < requests) {
        const call = source.next(isPipeline ? 50 : 5);
        const id = `${name}#${made}`;
        made += Math.max(1, isPipeline ? call.count : 1);
        if (ONLY !== undefined && ONLY !== id) continue;
        await this.#make(rpc, call, id, dice, tally);
      }
    };
    await this.#connect();
    await this.#progress.watch(inParallel(AT_A_TIME, AT_A_TIME, send));
    if (this.#wrong.size > 0) throw new Error([...this.#wrong.values()].join("\n\n"));
    return tally;
  }

  /** Closes all connections. */
  close(): void {
    for (const connection of this.#connections.splice(0)) connection.destroy();
  }

  async #connect(): Promise<void> {
    this.#cancels = 0;
    this.#connections.push(await RawConnection.open(this.#socket));
  }

  async #make(
    rpc: DescMethod,
    call: FuzzCall,
    id: string,
    dice: Dice,
    tally: Tally,
  ): Promise<void> {
    if (this.#cancels >= CANCELS) await this.#connect();
    const { outcome, wasCancelled } = await this.#progress.follow(
      () => described(rpc, call, id),
      this.#exchange(rpc, call, dice),
    );
    const wrong = wrongIn(rpc, call, outcome, wasCancelled);
    if (wrong) this.#note(`${wrong}: ${answered(outcome)}`, described(rpc, call, id));
    const { status: code, body } = outcome;
    const told = code === undefined ? (wasCancelled ? "CUT" : "REFUSED") : status[code]!;
    tally.statuses.set(told, (tally.statuses.get(told) ?? 0) + 1);
    // Messages of a stream behind one that ended it were never looked at.
    tally.requests += Math.max(
      1,
      rpc.methodKind === "bidi_streaming" ? messagesOf(body).length : 1,
    );
    if (code === status.OK || (wasCancelled && body.length > 0)) tally.answered += 1;
  }

  #note(wrong: string, call: string): void {
    const kind = wrong.replaceAll(/\d+|"[^"]*"/g, "");
    if (this.#wrong.size < MOST_WRONG && !this.#wrong.has(kind)) {
      this.#wrong.set(kind, `${wrong}\n${call}`);
    }
  }

  /** Makes the call; where it would not end, or by chance, it is cancelled. */
  async #exchange(rpc: DescMethod, call: FuzzCall, dice: Dice) {
    const stream = this.#connections.at(-1)!.start(rpcName(rpc), call.headers);
    const ended = outcomeOf(stream);
    let wasCancelled = false;
    const cut = () => {
      if (stream.closed) return;
      wasCancelled = true;
      this.#cancels += 1;
      cancel(stream);
    };
    let timer: NodeJS.Timeout | undefined;
    const name = rpcName(rpc);
    if (ENDLESS.has(name)) {
      const waits = dice.chance(0.5);
      const afterwards = dice.number(30);
      if (waits) stream.once("data", () => setTimeout(cut, afterwards));
      timer = setTimeout(cut, waits ? LATEST_MS : dice.number(60));
    } else if (WAITING.has(name)) timer = setTimeout(cut, dice.chance(0.9) ? 300 : 5000);
    else if (dice.chance(CUT)) timer = setTimeout(cut, dice.number(10));
    for (const piece of call.pieces) if (!stream.destroyed) stream.write(piece);
    stream.end();
    const outcome = await ended;
    clearTimeout(timer);
    return { outcome, wasCancelled };
  }
}

function answered({ status: code, message, http, rstCode }: Outcome): string {
  const name = code === undefined ? `no status (HTTP ${http}, RST ${rstCode})` : status[code];
  return `${name} "${message}"`;
}

/** What is needed to see it again: how to send it alone, and its bytes. */
function described(rpc: DescMethod, { body, headers }: FuzzCall, id: string): string {
  const told = messagesOf(body).map((bytes) => {
    try {
      return toJsonString(rpc.input, fromBinary(rpc.input, bytes));
    } catch {
      return "no message";
    }
  });
  return [
    `BPFMAPD_FUZZ_SEED=${SEED} BPFMAPD_FUZZ_ONLY=${id}`,
    ...(headers ? [`headers ${JSON.stringify(headers)}`] : []),
    `body ${body.toString("hex").slice(0, 20_000)}`,
    ...told.map((text) => text.slice(0, 4000)),
  ].join("\n");
}
