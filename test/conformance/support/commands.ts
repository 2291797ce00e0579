import { type FleetService, HostService, MapService } from "@bpfmapd/client/proto";

type Rpc =
  | keyof typeof MapService.method
  | keyof typeof HostService.method
  | keyof typeof FleetService.method;

/**
 * The commands that a runner knows, and the RPCs that each stands for.
 *
 * Elements are pairs [key, value]. Where a value is not there it is null. Members that end
 * in `?` may be left out.
 */
export const COMMANDS = {
  /** {} → {boot_id, byte_order: "little" | "big", possible_cpus: [..], bpffs_roots: [..]} */
  get_host: ["getHost"],
  /** {} → {types: [{name, availability: "AVAILABLE", operations: ["LOOKUP", ..]}]} */
  get_capabilities: ["getCapabilities"],
  /** {map?, verb: "READ"} → {allowed, enforced} */
  explain_access: ["explainAccess"],
  /** {map, pins?: bool, holders?: bool} → MAP */
  get_map: ["getMap"],
  /** {name_glob?, types?: [..], pinned?, held?} → {names: [..]}, of all pages, by id */
  list_maps: ["listMaps"],
  /** {map, key_prefix?} → {count, max_entries, complete} */
  count: ["countElements"],
  /**
   * {map, fields: [PATH | {offset, type: "U64", fold?: "MAX", histogram?: bool}], key_prefix?,
   * top?: {limit, field?}} → {elements, complete, totals: [{count, sum, min, max, histogram?:
   * {negative, buckets}}], top?: {keys: [[KEY, number]], others_max}}: sum, min, max, number
   * and others_max are in decimal, or null
   */
  aggregate: ["aggregateElements"],
  /**
   * {spec: {type, name?, key_size, value_size, max_entries, flags?}, hold?: {name,
   * lease?}, pin_path?, create_parents?, reuse?: bool, elements?, freeze?} → {created, ...MAP}
   */
  create_map: ["createMap"],
  /** {map, name, lease?} → MAP */
  hold: ["holdMap"],
  /** {name} → {} */
  release: ["releaseMap"],
  /** {names: [..]} → {holds: [{name, lease?}]} */
  keep_alive: ["keepAlive"],
  /** {map, path, create_parents?} → {} */
  pin: ["pinMap"],
  /** {path, remove_empty_parents?} → {} */
  unpin: ["unpinMap"],
  /** {map} → {} */
  freeze: ["freezeMap"],
  /** {map, keys: [..], cpu?, fold?: "SUM_U64"} → {values: [..]} */
  lookup: ["lookupElements"],
  /** {map, elements, mode?: "NOEXIST", cpu?, all_cpus?, continue?: bool} → {applied, failures: [{index, reason}]} */
  update: ["updateElements"],
  /** {map, keys, continue?: bool} → {applied, failures} */
  delete: ["deleteElements"],
  /** {map, keys} → {values} */
  take: ["takeElements"],
  /** {map, key?} → {key} */
  next_key: ["nextKey"],
  /** {map, values, overwrite_oldest?} → {applied} */
  push: ["pushElements"],
  /** {map, max_count?} → {values} */
  pop: ["popElements"],
  /** {map} → {value} */
  peek: ["peekElement"],
  /** {map, value} → {found} */
  may_contain: ["peekElement"],
  /**
   * {map, key_prefix?, projection?: "KEYS" | "VALUES", cpu?, fold?, max_elements?} →
   * {elements, complete, sent}; what is not sent is "". The harness sorts the elements.
   */
  dump: ["dumpMap"],
  /** {map, elements, replace?, dry_run?, all_cpus?} → {received, written, added?, changed?, unchanged?, removed?} */
  load: ["loadMap"],
  /** {map} → {removed} */
  clear: ["clearMap"],
  /**
   * {map, typing} → {source, key, value}: where the types come from, and the declarations
   * of key and value. `typing` is {kernel: "vmlinux", key_type, value_type} or left out.
   */
  get_schema: ["getMapSchema"],
  /** {map, typing, elements: of JSON values} → {} */
  update_json: ["updateElements"],
  /** {map, typing, key: a JSON value} → {value}: JSON as the daemon tells it, or null */
  lookup_json: ["lookupElements"],
  /** {map, typing, order?: {field, descending?, limit}} → {elements}: JSON values, in the order told */
  dump_json: ["dumpMap"],
  /** {map, offset, length} → {data} */
  read_memory: ["readMemory"],
  /** {map, offset, data} → {} */
  write_memory: ["writeMemory"],
  /**
   * Begins to watch in the background, under the client's own reconnecting watch, and
   * keeps a picture of the contents as a user would. {map, watch: NAME, poll_interval?,
   * bookmark_interval?, follow?, updates_only?, key_prefix?, keys?: [..], resume_token?,
   * fidelity?: "EVERY_CALL"} → {}, once the first event came. Fails as the watch fails.
   */
  watch_start: ["watch"],
  /**
   * Waits until the picture is as told, or the watch ended. {watch, elements?, synced?: bool
   * (a snapshot is whole since the last resync), gone?: bool}
   * → {elements, resyncs: [REASON, ..], gone}
   */
  watch_until: ["watch"],
  /** {watch} → {resume_token}; the watch has ended by then. */
  watch_stop: ["watch"],
  /**
   * Begins to read records in the background. {map, stream: NAME, from_now?, queue_bytes?,
   * pages_per_cpu?, slot?: {cpu, index}} → {}, once the ring is read.
   */
  records_start: ["readRecords"],
  /** Waits for so many records, counted from the start. {stream, count} → {records: [..], lost} */
  records_until: ["readRecords"],
  /** {stream} → {} */
  records_stop: ["readRecords"],
  /** {map, records: [..], fail_when_full?: bool} → {written} */
  write_records: ["writeRecords"],
  /**
   * Calls over one stream, sent before the first is answered. {map, calls: [{lookup: [KEY..]} |
   * {update: elements} | {delete: [KEY..]} | {take: [KEY..]}]} → {answers: [{values} | {applied} |
   * {reason} of a call that failed]}
   */
  pipeline: ["pipeline"],
  /** {host_ids?: [..], labels?: {KEY: VALUE}} → {hosts: [{id, connected: bool}]}, by id */
  fleet_hosts: ["listHosts"],
  /**
   * GetMap on every host that matches. {map, host_ids?, labels?} → {matched, ok, results: [{host,
   * outcome: "OK" | "FAILED" | "UNREACHABLE" | "SKIPPED", name: of the map or "", reason: of the
   * error or ""}]}, by host
   */
  fan_get_map: ["fanOut"],
  /**
   * Elements of 4 + 4 bytes for a map on all hosts. {set, map, elements, expected?: generation} →
   * {generation, elements: number, new: bool}
   */
  put_set: ["putMapSet"],
  /** {set, elements, removed: [KEY], expected?} → {generation, added, changed, removed, unchanged} */
  patch_set: ["patchMapSet"],
  /** {set, generation?} → {generation, elements} */
  get_set: ["getMapSet"],
  /** {} → {sets: [name]}, by name */
  list_sets: ["listMapSets"],
  /** {set} → {} */
  delete_set: ["deleteMapSet"],
  /** Waits until all hosts have the generation. {set, generation} → {hosts: number} */
  await_set: ["watchMapSetStatus"],
  /** Many single calls at the same time, batched where the client can. {map, elements} → {updated, found, deleted: numbers of successes} */
  together: ["lookupElements", "updateElements", "deleteElements"],
} as const satisfies Record<string, readonly Rpc[]>;

export type Command = keyof typeof COMMANDS;

/**
 * What the harness does itself, between two commands. `elsewhere` is another client, by a
 * connection of its own: {put?: elements, delete?: keys}. `produce` is a program of the
 * kernel that writes into the case's ring buffer: {records: [..]}.
 */
export const HARNESS_COMMANDS = [
  "cut_connection",
  "restart_daemon",
  "kill_daemon",
  "elsewhere",
  "produce",
] as const;

/** Every RPC of the contract. */
export const ALL_RPCS: readonly string[] = [MapService, HostService].flatMap(({ methods }) =>
  methods.map(({ localName }) => localName),
);
