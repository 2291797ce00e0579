import { once } from "node:events";
import { FleetHostSchema, WatchRequestSchema, WatchResponseSchema } from "@bpfmapd/client/proto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HostCall, HostCaller } from "#dist/fleet/index.js";
import { systemClock } from "#dist/fleet/index.js";
import type { FanOutParts } from "#dist/fleet/relay/fan-out.js";

/** Hosts of one process whose map changes as fast as it is read. */
export class BusyHosts implements HostCaller {
  /** Messages that were taken from each host. */
  readonly taken = new Map<string, number>();
  /** Calls that are open now. */
  open = 0;
  readonly #ids: readonly string[];
  readonly #bytes: number;
  readonly #most: number;

  /**
   * @param bytes of each message
   * @param most changes of each host
   */
  constructor(count: number, bytes: number, most: number) {
    this.#ids = Array.from(
      { length: count },
      (_, index) => `host-${String(index).padStart(5, "0")}`,
    );
    this.#bytes = bytes;
    this.#most = most;
  }

  get parts(): FanOutParts {
    const directory = {
      ready: async () => {},
      ids: this.#ids,
      host: (id: string) => create(FleetHostSchema, { id }),
      onChange: () => () => {},
    };
    return {
      directory: directory as unknown as FanOutParts["directory"],
      caller: this,
      clock: systemClock,
    };
  }

  async *call(hostId: string, { requests, signal }: HostCall): AsyncGenerator<Uint8Array, void> {
    this.open++;
    try {
      for (const request of requests as Iterable<Uint8Array>) {
        const { start } = fromBinary(WatchRequestSchema, request);
        const from = start.case === "resumeToken" ? Number(Buffer.from(start.value)) : 0;
        yield message({ case: "created", value: {} });
        for (let revision = from + 1; revision <= this.#most; revision++) {
          this.taken.set(hostId, (this.taken.get(hostId) ?? 0) + 1);
          const puts = { count: 1, keys: Buffer.alloc(4), values: Buffer.alloc(this.#bytes) };
          yield message({ case: "events", value: { revision: BigInt(revision), puts } });
          const resumeToken = Buffer.from(String(revision));
          yield message({ case: "bookmark", value: { resumeToken, revision: BigInt(revision) } });
        }
        await once(signal, "abort");
      }
    } finally {
      this.open--;
    }
  }
}

function message(kind: MessageInitShape<typeof WatchResponseSchema>["kind"]): Uint8Array {
  return toBinary(WatchResponseSchema, create(WatchResponseSchema, { kind }));
}
