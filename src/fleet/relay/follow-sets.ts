import type { FollowMapSetsRequest, FollowMapSetsResponse } from "@bpfmapd/client/proto";
import { FollowMapSetsResponseSchema } from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FrameQueue } from "../session/frame-queue.js";
import { sessionProtocolError } from "../session/session-error.js";
import { encodeManifest, type Manifest, type MapSets, SetError } from "../sets/index.js";
import { Bell } from "../store/bell.js";
import { checkHostId, type HostPeer } from "./host-peer.js";
import type { RelaySession } from "./relay-session.js";
import type { SetCatalogue } from "./set-catalogue.js";
import type { SetStatuses } from "./set-statuses.js";
import type { SetTargets } from "./set-targets.js";

type Frame = MessageInitShape<typeof FollowMapSetsResponseSchema>["frame"];

/** Segments that are read for one host at a time. */
const SEGMENTS = 16;

/** What a relay has of sets. */
export interface FollowParts {
  readonly sets: MapSets;
  readonly catalogue: SetCatalogue;
  readonly targets: SetTargets;
  readonly statuses: SetStatuses;
  readonly sessionOf: (hostId: string) => RelaySession | undefined;
}

/** Serves the sets of a host until its session ends: the frames for the host. */
export function followSets(
  parts: FollowParts,
  requests: AsyncIterable<FollowMapSetsRequest>,
  peer: HostPeer,
  signal: AbortSignal,
): AsyncIterable<FollowMapSetsResponse> {
  const out = new FrameQueue<FollowMapSetsResponse>();
  run(parts, requests, peer, out, signal).then(
    () => out.end(),
    (error) => out.end(error),
  );
  return out;
}

async function run(
  parts: FollowParts,
  requests: AsyncIterable<FollowMapSetsRequest>,
  peer: HostPeer,
  out: FrameQueue<FollowMapSetsResponse>,
  signal: AbortSignal,
): Promise<void> {
  const frames = requests[Symbol.asyncIterator]();
  const session = sessionOf(parts, (await frames.next()).value, peer);
  const over = AbortSignal.any([signal, session.closed]);
  const follow = new Follow(parts, session, out, over);
  const ended = new AbortController();
  const telling = follow.tell(AbortSignal.any([over, ended.signal]));
  // What goes wrong there ends the stream.
  telling.catch((error) => out.end(error));
  over.addEventListener("abort", () => out.end(), { once: true });
  try {
    for (let next = await frames.next(); !next.done; next = await frames.next()) {
      if (over.aborted) break;
      await follow.receive(next.value);
    }
  } finally {
    ended.abort();
  }
}

function sessionOf(
  { sessionOf }: FollowParts,
  request: FollowMapSetsRequest | undefined,
  peer: HostPeer,
): RelaySession {
  if (request?.frame.case !== "start") throw sessionProtocolError("it begins with a start");
  const { hostId, sessionId } = request.frame.value;
  checkHostId(hostId, peer);
  const session = sessionOf(hostId);
  if (session?.id === sessionId) return session;
  throw sessionProtocolError(`host ${hostId} has no session ${sessionId} with this relay`);
}

/** One host that follows its sets. */
class Follow {
  readonly #parts: FollowParts;
  readonly #session: RelaySession;
  readonly #out: FrameQueue<FollowMapSetsResponse>;
  readonly #over: AbortSignal;
  readonly #answering = new Set<Promise<void>>();
  /** The generations that the host says it is to have. */
  readonly #wanted = new Map<string, number>();

  constructor(
    parts: FollowParts,
    session: RelaySession,
    out: FrameQueue<FollowMapSetsResponse>,
    over: AbortSignal,
  ) {
    this.#parts = parts;
    this.#session = session;
    this.#out = out;
    this.#over = over;
  }

  /** Tells the sets that are for the host, and their changes; of one that changes fast, the newest. */
  async tell(signal: AbortSignal): Promise<void> {
    const { catalogue, targets } = this.#parts;
    await catalogue.isUpToDate(signal);
    const changed = new Set<string>(catalogue.names);
    const told = new Map<string, Manifest>();
    /** Sets that are told once it is known what the host is to have of them. */
    const unknown = new Set<string>();
    const bell = new Bell();
    const stop = targets.onChange((name) => {
      changed.add(name);
      bell.ring();
    });
    const wake = () => bell.ring();
    signal.addEventListener("abort", wake, { once: true });
    try {
      let isSynced = false;
      while (!signal.aborted) {
        for (const name of changed) {
          changed.delete(name);
          if (await this.#tellOne(name, told)) unknown.delete(name);
          else unknown.add(name);
          if (signal.aborted) return;
        }
        if (!isSynced && unknown.size === 0) {
          isSynced = true;
          await this.#send({ case: "synced", value: {} });
        }
        if (changed.size === 0 && !signal.aborted) await bell.next;
      }
    } finally {
      stop();
      signal.removeEventListener("abort", wake);
    }
  }

  /** Takes what the host sends. */
  async receive({ frame }: FollowMapSetsRequest): Promise<void> {
    switch (frame.case) {
      case "segment":
        await this.#answerSegment(frame.value.name, frame.value.hash);
        return;
      case "status":
        if (this.#parts.catalogue.get(frame.value.name) === undefined) return;
        this.#wanted.set(frame.value.name, Number(frame.value.wantedGeneration));
        this.#parts.statuses.report(this.#session.hostId, frame.value);
        return;
      default:
        throw sessionProtocolError("a host says start once, and nothing that the relay knows not");
    }
  }

  /** Answers whether it is known what the host is to have. */
  async #tellOne(name: string, told: Map<string, Manifest>): Promise<boolean> {
    const { hostId: id, labels } = this.#session.registration;
    const target = this.#parts.targets.of(name, { id, labels });
    if (target === "unknown") return false;
    if (target === undefined) {
      if (told.delete(name)) await this.#send({ case: "removed", value: name });
    } else if (told.get(name) !== target.manifest || this.#isOvertaken(name, target.manifest)) {
      const { manifest, revision } = target;
      told.set(name, manifest);
      const value = { name, manifest: encodeManifest(manifest), revision };
      await this.#send({ case: "manifest", value });
    }
    return true;
  }

  /**
   * Whether the host holds to another generation than it was told here: another relay was ahead
   * of this one, so that what it told was not heeded, or its answer is still on the way.
   */
  #isOvertaken(name: string, { generation }: Manifest): boolean {
    const wanted = this.#wanted.get(name);
    return wanted !== undefined && wanted !== generation;
  }

  /** Several are read at a time; settles when there is room for another. */
  async #answerSegment(name: string, hash: Uint8Array): Promise<void> {
    while (this.#answering.size >= SEGMENTS) await Promise.race(this.#answering);
    const answered = this.#sendSegment(name, hash).finally(() => this.#answering.delete(answered));
    this.#answering.add(answered);
  }

  async #sendSegment(name: string, hash: Uint8Array): Promise<void> {
    try {
      const hex = Buffer.from(hash).toString("hex");
      const data = await this.#parts.sets.segment(name, hex, { signal: this.#over });
      await this.#send({ case: "segment", value: { name, hash, data } });
    } catch (error) {
      if (this.#over.aborted) return;
      const isGone = error instanceof SetError && error.code !== "DAMAGED";
      if (isGone) await this.#send({ case: "segment", value: { name, hash } });
      else this.#out.end(error);
    }
  }

  #send(frame: Frame): Promise<void> {
    return this.#out.send(create(FollowMapSetsResponseSchema, { frame }));
  }
}
