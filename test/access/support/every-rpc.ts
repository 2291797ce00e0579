import { type BpfmapClient, BpfmapError } from "@bpfmapd/client";
import type { MapRefSchema } from "@bpfmapd/client/proto";
import {
  type HostService,
  type MapRef,
  type MapService,
  MapType,
  NumberType,
  Verb,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { KEY, type MapKind, type StagedMap, VALUE } from "./guarded-daemon.js";

/** How the matrix calls an RPC. */
export interface RpcCall {
  /** The kind of map that it takes; "hash" unless said. */
  readonly kind?: MapKind;
  /** Calls it on a map, and ends it where it would not end by itself. */
  call(client: BpfmapClient, map: StagedMap): Promise<unknown>;
}

type Rpc = keyof typeof MapService.method | keyof typeof HostService.method;
type Ref = MessageInitShape<typeof MapRefSchema>;

const ref = ({ id }: StagedMap): Ref => ({ ref: { case: "id", value: id } });
const one = { keys: KEY, count: 1 };
const elements = { count: 1, keys: KEY, values: VALUE };

/** The first message of a stream; the stream ends then. */
async function first<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const message of stream) return message;
  return undefined;
}

/** Every RPC of the contract: one that is forgotten does not compile. */
export const EVERY_RPC: Readonly<Record<Rpc, RpcCall>> = {
  listMaps: { call: (client) => client.maps.listMaps({}) },
  getMap: { call: (client, map) => client.maps.getMap({ map: ref(map) }) },
  countElements: { call: (client, map) => client.maps.countElements({ map: ref(map) }) },
  aggregateElements: {
    call: (client, map) =>
      client.maps.aggregateElements({
        map: ref(map),
        fields: [{ field: { case: "raw", value: { type: NumberType.U8 } } }],
      }),
  },
  createMap: {
    call: (client, { name, pin }) =>
      client.maps.createMap({
        spec: {
          type: MapType.HASH,
          name: name.slice(0, 12),
          keySize: 4,
          valueSize: 8,
          maxEntries: 1,
        },
        hold: { name: `${name}-n` },
        pinPath: `${pin}-n`,
      }),
  },
  holdMap: {
    call: (client, map) => client.maps.holdMap({ map: ref(map), hold: { name: `${map.name}-2` } }),
  },
  releaseMap: { call: (client, { name }) => client.maps.releaseMap({ name }) },
  keepAlive: { call: (client, { name }) => client.maps.keepAlive({ names: [name] }) },
  pinMap: { call: (client, map) => client.maps.pinMap({ map: ref(map), path: `${map.pin}-2` }) },
  unpinMap: { call: (client, { pin }) => client.maps.unpinMap({ path: pin }) },
  freezeMap: { call: (client, map) => client.maps.freezeMap({ map: ref(map) }) },
  lookupElements: {
    call: (client, map) => client.maps.lookupElements({ map: ref(map), ...one }),
  },
  updateElements: {
    call: (client, map) => client.maps.updateElements({ map: ref(map), elements }),
  },
  deleteElements: {
    call: (client, map) => client.maps.deleteElements({ map: ref(map), ...one }),
  },
  takeElements: { call: (client, map) => client.maps.takeElements({ map: ref(map), ...one }) },
  pipeline: {
    call: async (client, map) => {
      const answer = await first(
        client.maps.pipeline(
          (async function* () {
            yield {
              call: { case: "lookupElements", value: { map: ref(map), ...one } },
            } as const;
          })(),
        ),
      );
      if (answer?.answer.case === "error") throw BpfmapError.fromStatus(answer.answer.value);
    },
  },
  nextKey: { call: (client, map) => client.maps.nextKey({ map: ref(map) }) },
  dumpMap: { call: (client, map) => first(client.maps.dumpMap({ map: ref(map) })) },
  loadMap: {
    call: async (client, map) =>
      client.maps.loadMap(
        (async function* () {
          yield { kind: { case: "start", value: { map: ref(map) } } } as const;
          yield { kind: { case: "elements", value: elements } } as const;
        })(),
      ),
  },
  clearMap: { call: (client, map) => client.maps.clearMap({ map: ref(map) }) },
  pushElements: {
    kind: "queue",
    call: (client, map) => client.maps.pushElements({ map: ref(map), values: VALUE, count: 1 }),
  },
  popElements: { kind: "queue", call: (client, map) => client.maps.popElements({ map: ref(map) }) },
  peekElement: { kind: "queue", call: (client, map) => client.maps.peekElement({ map: ref(map) }) },
  readRecords: {
    kind: "ringbuf",
    call: (client, map) => first(client.maps.readRecords({ map: ref(map), exclusive: true })),
  },
  writeRecords: {
    kind: "user_ringbuf",
    call: (client, map) =>
      client.maps.writeRecords(
        (async function* () {
          yield { kind: { case: "start", value: { map: ref(map) } } } as const;
        })(),
      ),
  },
  readMemory: {
    kind: "memory",
    call: (client, map) => client.maps.readMemory({ map: ref(map), length: 8 }),
  },
  writeMemory: {
    kind: "memory",
    call: (client, map) => client.maps.writeMemory({ map: ref(map), data: VALUE }),
  },
  getMapSchema: { call: (client, map) => client.maps.getMapSchema({ map: ref(map) }) },
  watch: { call: (client, map) => first(client.maps.watch({ map: ref(map) })) },
  getHost: { call: (client) => client.host.getHost({}) },
  getCapabilities: { call: (client) => client.host.getCapabilities({ types: [1] }) },
  explainAccess: {
    call: (client, map) => client.host.explainAccess({ verb: Verb.READ, map: ref(map) }),
  },
};

export type { MapRef, Rpc };
