import {
  type FollowMapSetsRequest,
  FollowMapSetsRequestSchema,
  type FollowMapSetsResponse,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import {
  FileShelf,
  FileState,
  type HostState,
  reasonOf,
  type SegmentShelf,
  ServedMap,
  SetAgent,
  type SetStatus,
  type TargetMap,
} from "../reconcile/index.js";
import { decodeManifest, type Manifest, SetError } from "../sets/index.js";
import { statusMessage, targetOf, writerOf } from "../sets-contract.js";
import { unlessAborted } from "../unless-aborted.js";
import type { OpenSession } from "./host-agent.js";
import { localMaps } from "./local-maps.js";
import { type LocalConnect, LocalServer } from "./local-server.js";
import type { DialedRelay, SetsLink } from "./session-link.js";

type Frame = MessageInitShape<typeof FollowMapSetsRequestSchema>["frame"];

const RETRY_MS = 1000;

/** What a host's sets are made with. */
export interface HostSetsOptions {
  /** Where the host remembers them; made when there is something to remember. */
  readonly directory: string;
  /** Opens a connection to the host's own server for one who is carried by a relay. */
  readonly connect: (
    relay: DialedRelay,
    ...call: Parameters<LocalConnect>
  ) => ReturnType<LocalConnect>;
  readonly verifyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a simulator has in the place of the directory. */
  readonly memory?: { readonly state: HostState; readonly shelf: SegmentShelf };
  /** What a simulator has in the place of the host's own server. */
  readonly openMap?: (manifest: Manifest) => TargetMap;
}

/** A stream of sets, with what is awaited of it. */
interface Followed {
  readonly session: OpenSession;
  readonly link: SetsLink;
  readonly segments: Map<string, Waiting>;
}

/** What a stream has told. */
interface FollowState {
  readonly names: Set<string>;
  isSynced: boolean;
}

interface Waiting {
  readonly bytes: Promise<Uint8Array>;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** The fleet's sets that are for this host: told by its relay, and kept whether or not it is there. */
export class HostSets {
  readonly #options: HostSetsOptions;
  readonly #agent: SetAgent;
  #followed: Followed | undefined;
  #session: OpenSession | undefined;
  #server: LocalServer | undefined;
  /** What is to be done about sets, one after the other. */
  #done: Promise<void> = Promise.resolve();

  constructor(options: HostSetsOptions) {
    const { directory, clock, verifyMs, memory } = options;
    this.#options = options;
    this.#agent = new SetAgent({
      state: memory?.state ?? new FileState(directory),
      shelf: memory?.shelf ?? new FileShelf(directory),
      fetch: (set, hash, signal) => this.#fetch(set, hash, signal),
      open: options.openMap ?? ((manifest) => this.#open(manifest)),
      onStatus: (status) => this.#tell(status),
      reasonOf,
      now: Date.now,
      ...{ clock, verifyMs },
    });
  }

  /** Follows the sets beside a session until that is over; the newest session counts. */
  follow(session: OpenSession): void {
    const { link, welcome } = session;
    this.#session = session;
    this.#server = new LocalServer((origin) =>
      this.#options.connect(link.relay, { ...origin, relays: [welcome.relayId] }),
    );
    void this.#keepFollowing(session);
  }

  async #keepFollowing(session: OpenSession): Promise<void> {
    const { clock, log } = this.#options;
    const { over } = session;
    while (!over.aborted && this.#session === session) {
      const error = await this.#followOnce(session).then(
        () => undefined,
        (error: Error) => error,
      );
      // Where the session itself is over, it tells why.
      await clock.sleep(RETRY_MS * (0.5 + clock.random()), over).catch(() => {});
      if (over.aborted || this.#session !== session) return;
      log.warn({ err: error?.message }, "the relay tells no map sets any more: asking anew");
    }
  }

  async #followOnce(session: OpenSession): Promise<void> {
    const { hostId, over, welcome } = session;
    const link = session.link.followSets();
    const followed: Followed = { session, link, segments: new Map() };
    this.#followed = followed;
    const close = () => link.close();
    over.addEventListener("abort", close, { once: true });
    const { sessionId } = welcome;
    void this.#send(link, { case: "start", value: { hostId, sessionId } });
    for (const status of this.#agent.statuses) this.#tell(status);
    try {
      await this.#run(followed);
    } finally {
      over.removeEventListener("abort", close);
    }
  }

  /** Ends all work. */
  async stop(): Promise<void> {
    await this.#agent.stop();
    this.#followed?.link.close();
    this.#server?.close();
  }

  async #run(followed: Followed): Promise<void> {
    const names = new Set<string>();
    const state: FollowState = { names, isSynced: false };
    try {
      for await (const frame of followed.link.frames) {
        // What an older session still tells is not heeded.
        if (this.#followed === followed) this.#receive(followed, frame, state);
      }
    } finally {
      followed.link.close();
      if (this.#followed === followed) this.#followed = undefined;
      const lost = new Error("the session with the relay is over");
      for (const { reject } of followed.segments.values()) reject(lost);
    }
  }

  /** What is done about sets may wait for segments, which come here, too: so nothing waits for it. */
  #receive(followed: Followed, { frame }: FollowMapSetsResponse, state: FollowState): void {
    const next = (step: () => Promise<void>) => {
      this.#done = this.#done.then(step).catch((error) => {
        this.#options.log.error({ err: (error as Error).message }, "a map set cannot be followed");
      });
    };
    switch (frame.case) {
      case "manifest": {
        const { name, manifest, revision } = frame.value;
        state.names.add(name);
        next(() => this.#want(manifest, revision));
        return;
      }
      case "removed": {
        const name = frame.value;
        state.names.delete(name);
        next(() => this.#agent.unwant(name));
        return;
      }
      case "synced": {
        const names = new Set(state.names);
        if (!state.isSynced) next(() => this.#agent.wantOnly(names));
        state.isSynced = true;
        this.#agent.retry();
        return;
      }
      case "segment": {
        const { name, hash, data } = frame.value;
        const waiting = followed.segments.get(keyOf(name, Buffer.from(hash).toString("hex")));
        if (data !== undefined) waiting?.resolve(data);
        else waiting?.reject(new SetError("GONE", `a segment of map set "${name}" is gone`));
        return;
      }
      default:
        // A later version may tell more.
        return;
    }
  }

  /** One that a newer version has written is left as it is. */
  async #want(bytes: Uint8Array, revision: bigint): Promise<void> {
    let manifest: Manifest;
    try {
      manifest = decodeManifest(bytes);
    } catch (error) {
      this.#options.log.error({ err: (error as Error).message }, "a map set cannot be read");
      return;
    }
    await this.#agent.want(manifest, revision);
  }

  #open(manifest: Manifest): TargetMap {
    const server = this.#server;
    if (server === undefined) throw new Error("there has been no session with a relay yet");
    const { name, generation } = manifest;
    const calls = localMaps(server, writerOf(manifest), `set:${name}/${generation}`);
    const { map, create: made, outerKey } = targetOf(manifest);
    if (map === undefined) throw new SetError("DAMAGED", `map set "${name}" names no map`);
    return new ServedMap(calls, { ref: map, create: made, outerKey });
  }

  #tell(status: SetStatus): void {
    const { link, session } = this.#followed ?? {};
    if (link === undefined || session === undefined) return;
    const value = statusMessage(session.hostId, status);
    void this.#send(link, { case: "status", value });
  }

  async #fetch(set: string, hash: string, signal?: AbortSignal): Promise<Uint8Array> {
    const followed = this.#followed;
    if (followed === undefined || followed.session.over.aborted) {
      throw new Error(`map set "${set}" cannot be fetched: there is no session with a relay`);
    }
    const key = keyOf(set, hash);
    let waiting = followed.segments.get(key);
    if (waiting === undefined) {
      waiting = newWaiting();
      followed.segments.set(key, waiting);
      const forget = () => followed.segments.delete(key);
      waiting.bytes.then(forget, forget);
      const value = { name: set, hash: Buffer.from(hash, "hex") };
      void this.#send(followed.link, { case: "segment", value });
    }
    return unlessAborted(waiting.bytes, signal);
  }

  #send(link: SetsLink, frame: Frame): Promise<void> {
    const request: FollowMapSetsRequest = create(FollowMapSetsRequestSchema, { frame });
    return link.send(request);
  }
}

function keyOf(set: string, hash: string): string {
  return `${set}/${hash}`;
}

function newWaiting(): Waiting {
  let resolve!: Waiting["resolve"];
  let reject!: Waiting["reject"];
  const bytes = new Promise<Uint8Array>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { bytes, resolve, reject };
}
