import { setTimeout as sleep } from "node:timers/promises";
import { type BpfmapClient, BpfmapError, connect, type MapHandle } from "@bpfmapd/client";
import { LoadStrategy, MapType } from "@bpfmapd/client/proto";
import { Metadata, status } from "@grpc/grpc-js";
import fc from "fast-check";

const KEYS = 256;

/** Failures of calls whose connection was cut, or whose daemon ended. */
const CUT: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

/** A call that changes something. */
interface Change {
  /** What it asks for; loads and life are not followed by key. */
  readonly does: "update" | "delete" | "clear" | "other";
  readonly keys: readonly string[];
  /** Whether it was answered; where its connection was cut, nobody knows. */
  isDone: boolean;
}

let requests = 0;

/** A client that works on maps of its own, one call after the other, until it is stopped. */
export class Worker {
  readonly name: string;
  /** Each change that was asked for, by the number of its request. */
  readonly changes = new Map<string, Change>();
  /** Requests that were on their way when the daemon was killed. */
  readonly killed = new Set<string>();
  calls = 0;
  readonly #client: BpfmapClient;
  readonly #random: () => number;
  readonly #onTheWay = new Set<string>();
  #isStopped = false;
  /** The map whose contents the audit must tell, and one for loads and watches. */
  #audited!: MapHandle;
  #loaded!: MapHandle;

  constructor(address: string, name: string, seed: number) {
    this.name = name;
    this.#client = connect({
      address,
      channelOptions: {
        "grpc.initial_reconnect_backoff_ms": 50,
        "grpc.max_reconnect_backoff_ms": 500,
      },
    });
    const stream = fc.sample(fc.infiniteStream(fc.nat(0xffff)), { numRuns: 1, seed })[0]!;
    this.#random = () => (stream.next().value as number) / 0x10000;
  }

  /** Makes the maps; the daemon must be there. */
  async prepare(): Promise<void> {
    const make = async (name: string, maxEntries: number) => {
      const spec = { type: MapType.HASH, name, keySize: 4, valueSize: 8, maxEntries };
      await this.#client.maps.createMap({ spec, hold: { name } });
      return this.#client.map({ held: name });
    };
    this.#audited = await make(this.name, KEYS);
    this.#loaded = await make(`${this.name}_l`, 20_000);
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const kind = this.#pick(this.#work);
      try {
        await kind();
      } catch (error) {
        if (!(error instanceof BpfmapError) || !CUT.has(error.code)) throw error;
        await this.#client.waitForReady(60_000);
      }
      this.calls += 1;
    }
  }

  /** Notes what is on its way: to be called when the daemon is killed. */
  noteKill(): void {
    for (const number of this.#onTheWay) this.killed.add(number);
  }

  stop(): void {
    this.#isStopped = true;
  }

  close(): void {
    this.#client.close();
  }

  /** The elements of the audited map: the number of the request that wrote each, by key. */
  async elements(): Promise<Map<string, string>> {
    const elements = new Map<string, string>();
    for await (const [key, value] of this.#audited.dump()) {
      elements.set(Buffer.from(key).toString("hex"), `${Buffer.from(value).readBigUInt64LE()}`);
    }
    return elements;
  }

  /** What it does, the commonest more than once. */
  readonly #work: readonly (() => Promise<unknown>)[] = [
    ...Array.from({ length: 12 }, () => () => this.#update()),
    ...Array.from({ length: 8 }, () => () => this.#delete()),
    ...Array.from({ length: 12 }, () => () => this.#audited.lookup(this.#key())),
    ...Array.from({ length: 3 }, () => () => this.elements()),
    () => this.#clear(),
    () => this.#load(),
    () => this.#watch(),
    () => this.#passing(),
    () => this.#client.maps.listMaps({ pageSize: 50 }),
    () => sleep(20 * this.#random()),
  ];

  /** Writes some keys with the number of the request as their value. */
  #update(): Promise<unknown> {
    const keys = this.#keys();
    return this.#change({ does: "update", keys }, (options, number) => {
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(BigInt(number));
      return this.#audited.updateMany(
        keys.map((key) => [key, value] as const),
        options,
      );
    });
  }

  #delete(): Promise<unknown> {
    const keys = this.#keys();
    return unless("ELEMENT_NOT_FOUND", () =>
      this.#change({ does: "delete", keys }, (options) => this.#audited.deleteMany(keys, options)),
    );
  }

  #clear(): Promise<unknown> {
    return this.#change({ does: "clear" }, (options) => this.#audited.clear(options));
  }

  #load(): Promise<unknown> {
    const count = Math.floor(this.#random() * 20_000);
    const strategy = this.#pick([LoadStrategy.MERGE, LoadStrategy.REPLACE]);
    return this.#change({ does: "other" }, (options) =>
      this.#loaded.load(someElements(count), { ...options, strategy }),
    );
  }

  async #watch(): Promise<void> {
    const events = Math.floor(this.#random() * 100);
    let seen = 0;
    for await (const event of this.#audited.watch({
      pollIntervalMs: 20,
      bookmarkIntervalMs: 100,
    })) {
      if (event.type === "synced" || ++seen > events) break;
    }
  }

  /** A map that is made and held for a while. */
  async #passing(): Promise<void> {
    const name = `${this.name}_p`;
    const spec = { type: MapType.ARRAY, name, keySize: 4, valueSize: 8, maxEntries: 16 };
    const hold = { name, lease: { seconds: 5n } };
    // One of this name is left where the answer of a call was cut off.
    await unless("HOLD_EXISTS", () =>
      this.#change({ does: "other" }, (options) =>
        this.#client.maps.createMap({ spec, hold }, options),
      ),
    );
    await unless("HOLD_NOT_FOUND", () =>
      this.#change({ does: "other" }, (options) => this.#client.maps.releaseMap({ name }, options)),
    );
  }

  /** Makes a call under a number of its own and notes what became of it. */
  async #change<T>(
    { does, keys = [] }: { does: Change["does"]; keys?: readonly Buffer[] },
    call: (options: { metadata: Metadata }, number: string) => Promise<T>,
  ): Promise<T> {
    const number = `${++requests}`;
    const metadata = new Metadata();
    metadata.set("x-request-id", number);
    const change = { does, keys: keys.map((key) => key.toString("hex")), isDone: false };
    this.changes.set(number, change);
    this.#onTheWay.add(number);
    try {
      const answer = await call({ metadata }, number);
      change.isDone = true;
      return answer;
    } finally {
      this.#onTheWay.delete(number);
    }
  }

  /** Some keys, each once. */
  #keys(): Buffer[] {
    const keys = Array.from({ length: 1 + Math.floor(this.#random() * 8) }, () => this.#key());
    return [...new Map(keys.map((key) => [key.readUInt32LE(), key])).values()];
  }

  #key(): Buffer {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(Math.floor(this.#random() * KEYS));
    return key;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T;
  }
}

/** Undefined where the daemon answers with this reason. */
async function unless<T>(reason: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BpfmapError && error.reason === reason) return undefined;
    throw error;
  }
}

function* someElements(count: number): Generator<[Buffer, Buffer]> {
  for (let index = 0; index < count; index++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    yield [key, Buffer.alloc(8, index & 0xff)];
  }
}
