import { setImmediate as nextTurn } from "node:timers/promises";
import {
  ErrorInfoSchema,
  FleetHostSchema,
  StatusSchema,
  WatchRequestSchema,
  WatchResponseSchema,
} from "@bpfmapd/client/proto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type HostCall, HostCallError, type HostCaller } from "#dist/fleet/index.js";
import type { FanOutParts } from "#dist/fleet/relay/fan-out.js";
import type { Dice } from "../../fuzz/support/dice.js";

type Message = MessageInitShape<typeof WatchResponseSchema>["kind"];

/** A host whose map changes, and whose watch is cut at random. */
export class ChangingHost {
  readonly id: string;
  chosen = true;
  down = false;
  /** Another run of its daemon: tokens of the one before are answered by a resync. */
  epoch = 0;
  /** Changes from this one on are remembered. */
  #remembers = 0;
  readonly #changes: { readonly key: number; readonly value: bigint | undefined }[] = [];
  #cuts = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** The last revision: how many changes there were. */
  get revision(): number {
    return this.#changes.length;
  }

  change(key: number, value: bigint | undefined): void {
    this.#changes.push({ key, value });
  }

  /** Forgets the history. */
  forget(): void {
    this.#remembers = this.revision;
  }

  /** Cuts all calls. */
  cut(): void {
    this.#cuts++;
  }

  /** The contents as of a revision. */
  contents(revision = this.revision): Map<number, bigint> {
    const contents = new Map<number, bigint>();
    for (const { key, value } of this.#changes.slice(0, revision)) {
      if (value === undefined) contents.delete(key);
      else contents.set(key, value);
    }
    return contents;
  }

  async *watch(token: Uint8Array | undefined, signal: AbortSignal): AsyncGenerator<Message, void> {
    const [cuts, { epoch }] = [this.#cuts, this];
    const check = () => {
      signal.throwIfAborted();
      if (this.down || this.#cuts !== cuts || this.epoch !== epoch) throw gone(this.id);
    };
    check();
    yield { case: "created", value: { map: { keySize: 4 }, valueStride: 8 } };
    let at = token && this.#positionOf(token);
    if (token && at === undefined) yield { case: "resync", value: { reason: 2 } };
    if (at === undefined) {
      at = this.revision;
      const all = [...this.contents(at)];
      for (let from = 0; from < all.length; from += 3) {
        check();
        yield {
          case: "events",
          value: { initial: true, puts: columns(all.slice(from, from + 3)) },
        };
      }
      yield this.#bookmark(at, true);
    }
    for (;;) {
      check();
      if (at < this.revision) {
        const from: number = at;
        at = this.revision;
        yield this.#events(from, at);
        check();
        yield this.#bookmark(at, false);
      }
      await nextTurn();
    }
  }

  #positionOf(token: Uint8Array): number | undefined {
    const [epoch, revision] = Buffer.from(token).toString().split(":").map(Number);
    if (revision === undefined) throw refused("RESUME_TOKEN_INVALID");
    return epoch === this.epoch && revision >= this.#remembers ? revision : undefined;
  }

  /** What the changes come to, for each key. */
  #events(from: number, to: number): Message {
    const last = new Map(this.#changes.slice(from, to).map(({ key, value }) => [key, value]));
    const puts = [...last].filter((change): change is [number, bigint] => change[1] !== undefined);
    const deletes = [...last].filter(([, value]) => value === undefined);
    return {
      case: "events",
      value: {
        revision: BigInt(to),
        puts: columns(puts),
        deletes: { count: deletes.length, keys: columns(deletes).keys },
      },
    };
  }

  #bookmark(revision: number, snapshotDone: boolean): Message {
    const resumeToken = Buffer.from(`${this.epoch}:${revision}`);
    return { case: "bookmark", value: { resumeToken, revision: BigInt(revision), snapshotDone } };
  }
}

/** Such hosts, as a relay has them. */
export class ChangingFleet implements HostCaller {
  readonly hosts: ReadonlyMap<string, ChangingHost>;
  readonly #dice: Dice;
  readonly #listeners = new Set<(hostId: string) => void>();

  constructor(count: number, dice: Dice) {
    const ids = Array.from({ length: count }, (_, index) => `host-${index}`);
    this.hosts = new Map(ids.map((id) => [id, new ChangingHost(id)]));
    this.#dice = dice;
  }

  /** The directory says that a host has changed. */
  tell(hostId: string): void {
    for (const listener of this.#listeners) listener(hostId);
  }

  get parts(): FanOutParts {
    const directory = {
      ready: async () => {},
      ids: [...this.hosts.keys()],
      host: (id: string) => {
        const { chosen = false } = this.hosts.get(id) ?? {};
        return create(FleetHostSchema, { id, labels: { chosen: String(chosen) } });
      },
      onChange: (listener: (hostId: string) => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    return {
      directory: directory as unknown as FanOutParts["directory"],
      caller: this,
      clock: {
        now: () => performance.now(),
        random: () => this.#dice.number(1000) / 1000,
        // Time passes as soon as nothing else happens.
        sleep: async (_ms, signal) => {
          await nextTurn();
          signal?.throwIfAborted();
        },
      },
    };
  }

  async *call(hostId: string, { requests, signal }: HostCall): AsyncGenerator<Uint8Array, void> {
    const host = this.hosts.get(hostId);
    const [request] = requests as Iterable<Uint8Array> as unknown as [Uint8Array];
    const { start } = fromBinary(WatchRequestSchema, request);
    const token = start.case === "resumeToken" ? start.value : undefined;
    for await (const kind of host!.watch(token, signal)) {
      if (this.#dice.chance(0.02)) throw gone(hostId);
      yield toBinary(WatchResponseSchema, create(WatchResponseSchema, { kind }));
      if (this.#dice.chance(0.3)) await nextTurn();
    }
  }
}

function columns(elements: readonly (readonly [number, bigint | undefined])[]) {
  const keys = Buffer.alloc(elements.length * 4);
  const values = Buffer.alloc(elements.length * 8);
  for (const [index, [key, value = 0n]] of elements.entries()) {
    keys.writeUInt32LE(key, index * 4);
    values.writeBigUInt64LE(value, index * 8);
  }
  return { count: elements.length, keys, values };
}

function gone(hostId: string): HostCallError {
  return refused("HOST_UNREACHABLE", `host ${hostId} is gone`);
}

function refused(reason: string, message = reason): HostCallError {
  const info = create(ErrorInfoSchema, { reason, domain: "bpfmapd" });
  const details = [anyPack(ErrorInfoSchema, info)];
  const status = create(StatusSchema, { code: 14, message, details });
  return new HostCallError(toBinary(StatusSchema, status), undefined, true);
}
