// Runner of the conformance cases through @bpfmapd/client; see ../README.md.
import { createInterface } from "node:readline";
import { BpfmapError, connect, Fleet, mapRef, status } from "@bpfmapd/client";
import {
  Availability,
  ByteOrder,
  CpuFold,
  ErrorReason,
  FieldFold,
  IfExists,
  Liveness,
  LoadStrategy,
  MapOperation,
  MapType,
  NumberType,
  OnError,
  Projection,
  ResyncReason,
  UpdateMode,
  Verb,
  WatchFidelity,
} from "@bpfmapd/client/proto";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";

const client = connect({
  address: process.argv[2],
  channelOptions: { "grpc.initial_reconnect_backoff_ms": 50 },
});
const fleet = new Fleet(client);
const watches = new Map();
const recordings = new Map();

const bytes = (text) => Buffer.from(text, "hex");
const hex = (data) => Buffer.from(data).toString("hex");
const hexOrNull = (data) => (data === undefined ? null : hex(data));
const pairs = (elements) => elements.map(([key, value]) => [bytes(key), bytes(value)]);
const numberOf = (count) => (count === undefined ? undefined : Number(count));

function ref({ id, pin_path: pinPath, name, held, boot_id: bootId }) {
  return { id, pinPath, name, held, bootId };
}
const selector = ({ host_ids: hostIds = [], labels = {} }) => ({ hostIds, labels });
const atGeneration = (expected) =>
  expected === undefined ? {} : { expectedGeneration: BigInt(expected) };
const columns = (elements) => ({
  count: elements.length,
  keys: Buffer.concat(elements.map(([key]) => bytes(key))),
  values: Buffer.concat(elements.map(([, value]) => bytes(value))),
});
const handle = (args) => client.map(ref(args.map));
const view = ({ cpu, fold }) => ({ cpu, fold: fold && CpuFold[fold] });
const filter = ({ key_prefix: prefix }) => (prefix ? { keyPrefix: bytes(prefix) } : undefined);

function jsonMap(args) {
  const { kernel, key_type: keyType, value_type: valueType } = args.typing ?? {};
  const source = kernel ? { case: "kernel", value: kernel } : undefined;
  return handle(args).json(args.typing && { source, keyType, valueType });
}

function mapAnswer(map) {
  return {
    id: map.id,
    name: map.name,
    type: MapType[map.type],
    key_size: map.keySize,
    value_size: map.valueSize,
    value_stride: map.valueStride,
    max_entries: map.maxEntries,
    frozen: map.frozen,
    pin_paths: map.pinPaths,
    holds: map.holds.map(holdAnswer),
  };
}
const holdAnswer = ({ name, lease }) => ({ name, ...(lease && { lease: durationMs(lease) }) });
const holdSpec = ({ name, lease }) => ({ name, lease: lease && durationFromMs(lease) });

function specOf({ type, name, key_size, value_size, max_entries, flags }) {
  return {
    type: MapType[type],
    name,
    keySize: key_size,
    valueSize: value_size,
    maxEntries: max_entries,
    flags,
  };
}

/** A call of a pipeline. */
function pipelined(map, { lookup, update, delete: deleted, take }) {
  const keysOf = (keys) => ({ map, count: keys.length, keys: bytes(keys.join("")) });
  if (lookup) return { call: { case: "lookupElements", value: keysOf(lookup) } };
  if (take) return { call: { case: "takeElements", value: keysOf(take) } };
  if (deleted) return { call: { case: "deleteElements", value: keysOf(deleted) } };
  const elements = {
    count: update.length,
    keys: bytes(update.map(([key]) => key).join("")),
    values: bytes(update.map(([, value]) => value).join("")),
  };
  return { call: { case: "updateElements", value: { map, elements } } };
}

const appliedAnswer = ({ applied, failures }) => ({
  applied,
  failures: failures.map(({ index, reason }) => ({ index, reason: ErrorReason[reason] })),
});
const onError = (args) => (args.continue ? OnError.CONTINUE : OnError.STOP);

/** A watch in the background, with the picture that its user has. */
class Picture {
  contents = new Map();
  resyncs = [];
  synced = false;
  gone = false;
  ended = false;
  #watch;
  #iterator;
  #changed = withResolvers();
  #following;

  constructor(watch, following) {
    this.#watch = watch;
    this.#following = following;
    this.#iterator = watch[Symbol.asyncIterator]();
  }

  async start() {
    this.#apply((await this.#iterator.next()).value);
    this.#run();
  }

  async #run() {
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done) break;
      this.#apply(value);
    }
    this.ended = true;
    this.#tell();
  }

  #apply(event) {
    if (event.type === "put") this.contents.set(hex(event.key), hex(event.value));
    if (event.type === "delete") this.contents.delete(hex(event.key));
    if (event.type === "synced") this.synced = true;
    if (event.type === "resync") {
      this.synced = false;
      this.contents.clear();
      this.resyncs.push(ResyncReason[event.reason]);
    }
    if (event.type === "gone" && !this.#following) this.gone = true;
    this.#tell();
  }

  #tell() {
    this.#changed.resolve();
    this.#changed = withResolvers();
  }

  async until(isSo) {
    while (!isSo() && !this.ended) await this.#changed.promise;
  }

  async stop() {
    await this.#iterator.return();
    return this.#watch.resumeToken;
  }
}

/** A stream of records in the background, and what it has told. */
class Recording {
  records = [];
  lost = 0;
  #iterator;

  static async start(stream) {
    await stream.started;
    const recording = new Recording();
    recording.#iterator = stream[Symbol.asyncIterator]();
    return recording;
  }

  async until(count) {
    while (this.records.length + this.lost < count) {
      const { value: event } = await this.#iterator.next();
      if (event.type === "lost") this.lost += Number(event.count);
      else this.records.push(hex(event.data));
    }
  }

  async stop() {
    await this.#iterator.return();
  }
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const COMMANDS = {
  async get_host() {
    const { host } = await client.host.getHost({});
    return {
      boot_id: host.bootId,
      byte_order: host.byteOrder === ByteOrder.LITTLE_ENDIAN ? "little" : "big",
      possible_cpus: host.possibleCpus,
      bpffs_roots: host.bpffsRoots,
    };
  },
  async get_capabilities({ types = [] }) {
    const answer = await client.host.getCapabilities({ types: types.map((type) => MapType[type]) });
    return {
      types: answer.types.map(({ name, availability, operations }) => ({
        name,
        availability: Availability[availability],
        operations: operations.map((operation) => MapOperation[operation]),
      })),
    };
  },
  async explain_access({ verb, ...args }) {
    const map = handle(args).ref;
    const { allowed, enforced } = await client.host.explainAccess({ verb: Verb[verb], map });
    return { allowed, enforced };
  },
  get_map: async (args) =>
    mapAnswer(await handle(args).get({ pins: args.pins, holders: args.holders })),
  async list_maps({ name_glob: nameGlob, types = [], pinned, held }) {
    const names = [];
    let pageToken = "";
    do {
      const page = await client.maps.listMaps({
        pageToken,
        filter: { nameGlob, types: types.map((type) => MapType[type]), pinned, held },
      });
      names.push(...page.maps.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return { names };
  },
  async fleet_hosts(args) {
    const hosts = await fleet.hosts(selector(args));
    const told = ({ id, liveness }) => ({ id, connected: liveness === Liveness.CONNECTED });
    return { hosts: hosts.map(told) };
  },
  async fan_get_map(args) {
    const request = { map: mapRef(ref(args.map)) };
    const { results, summary } = await fleet
      .fanOut("getMap", request, { hosts: selector(args) })
      .all();
    const told = ({ hostId, outcome, response, error }) => ({
      ...{ host: hostId, outcome: outcome.toUpperCase() },
      ...{ name: response?.map?.name ?? "", reason: error?.reason ?? "" },
    });
    const byHost = (a, b) => a.host.localeCompare(b.host);
    const { matched, ok } = summary;
    return { matched, ok, results: results.map(told).sort(byHost) };
  },
  async put_set({ set, map, elements, expected }) {
    async function* requests() {
      const target = { map: mapRef(ref(map)) };
      const spec = { selector: {}, target, keySize: 4, valueSize: 4 };
      yield { kind: { case: "start", value: { name: set, spec, ...atGeneration(expected) } } };
      yield { kind: { case: "elements", value: columns(elements) } };
    }
    const { mapSet, newGeneration } = await client.fleet.putMapSet(requests());
    const { generation, elementCount } = mapSet;
    return {
      ...{ generation: Number(generation), elements: Number(elementCount), new: newGeneration },
    };
  },
  async patch_set({ set, elements, removed, expected }) {
    const answer = await client.fleet.patchMapSet({
      ...{ name: set, puts: columns(elements), ...atGeneration(expected) },
      ...{ removedKeys: Buffer.concat(removed.map(bytes)), removedCount: removed.length },
    });
    return {
      generation: Number(answer.mapSet.generation),
      ...{ added: Number(answer.added), changed: Number(answer.changed) },
      ...{ removed: Number(answer.removed), unchanged: Number(answer.unchanged) },
    };
  },
  async get_set({ set, generation = 0 }) {
    const told = { elements: [] };
    const request = { name: set, generation: BigInt(generation) };
    for await (const { kind } of client.fleet.getMapSet(request)) {
      if (kind.case === "mapSet") told.generation = Number(kind.value.generation);
      if (kind.case !== "elements") continue;
      const { count, keys, values } = kind.value;
      for (let at = 0; at < 4 * count; at += 4) {
        told.elements.push([hex(keys.subarray(at, at + 4)), hex(values.subarray(at, at + 4))]);
      }
    }
    return told;
  },
  async list_sets() {
    const { mapSets } = await client.fleet.listMapSets({});
    return { sets: mapSets.map(({ name }) => name) };
  },
  async delete_set({ set }) {
    await client.fleet.deleteMapSet({ name: set });
    return {};
  },
  async await_set({ set, generation }) {
    for await (const { event } of client.fleet.watchMapSetStatus({ name: set })) {
      const { hosts, applied, generation: now } = event.case === "totals" ? event.value : {};
      if (now === BigInt(generation) && applied === hosts) return { hosts };
    }
    throw new Error("the watch has ended");
  },
  async count(args) {
    const { count, maxEntries, complete } = await handle(args).count(filter(args));
    return { count: Number(count), max_entries: maxEntries, complete };
  },
  async aggregate({ fields, top, ...args }) {
    const asked = fields.map((field) => {
      if (typeof field === "string") return field;
      const { offset, type, fold, histogram } = field;
      return { offset, type: NumberType[type], fold: FieldFold[fold], histogram };
    });
    const answer = await handle(args).aggregate(asked, { filter: filter(args), top });
    const decimal = (number) => (number === undefined ? null : String(number));
    return {
      elements: Number(answer.elements),
      complete: answer.complete,
      totals: answer.totals.map(({ count, sum, min, max, histogram }) => ({
        count: Number(count),
        sum: decimal(sum),
        min: decimal(min),
        max: decimal(max),
        ...(histogram && {
          histogram: {
            negative: Number(histogram.negative),
            buckets: histogram.buckets.map(Number),
          },
        }),
      })),
      ...(answer.top && {
        top: {
          keys: answer.top.keys.map(({ key, number }) => [hex(key), decimal(number)]),
          others_max: decimal(answer.top.othersMax),
        },
      }),
    };
  },
  async create_map({ spec, hold, pin_path, create_parents, reuse, elements, freeze }) {
    const answer = await client.maps.createMap({
      spec: specOf(spec),
      hold: hold && holdSpec(hold),
      pinPath: pin_path,
      createParents: create_parents,
      ifExists: reuse ? IfExists.REUSE_COMPATIBLE : IfExists.ERROR,
      initialElements: elements && {
        count: elements.length,
        keys: bytes(elements.map(([key]) => key).join("")),
        values: bytes(elements.map(([, value]) => value).join("")),
      },
      freeze,
    });
    return { created: answer.created, ...mapAnswer(answer.map) };
  },
  async hold({ map, ...hold }) {
    const answer = await client.maps.holdMap({ map: mapRef(ref(map)), hold: holdSpec(hold) });
    return mapAnswer(answer.map);
  },
  release: ({ name }) => client.maps.releaseMap({ name }).then(() => ({})),
  async keep_alive({ names }) {
    const { holds } = await client.maps.keepAlive({ names });
    return { holds: holds.map(holdAnswer) };
  },
  async pin({ map, path, create_parents: createParents }) {
    await client.maps.pinMap({ map: mapRef(ref(map)), path, createParents });
    return {};
  },
  async unpin({ path, remove_empty_parents: removeEmptyParents }) {
    await client.maps.unpinMap({ path, removeEmptyParents });
    return {};
  },
  freeze: (args) =>
    handle(args)
      .freeze()
      .then(() => ({})),
  async lookup(args) {
    const values = await handle(args).lookupMany(args.keys.map(bytes), view(args));
    return { values: values.map(hexOrNull) };
  },
  async update(args) {
    const answer = await handle(args).updateMany(pairs(args.elements), {
      mode: args.mode && UpdateMode[args.mode],
      cpu: args.cpu,
      allCpus: args.all_cpus,
      onError: onError(args),
    });
    return appliedAnswer(answer);
  },
  async delete(args) {
    const answer = await handle(args).deleteMany(args.keys.map(bytes), { onError: onError(args) });
    return appliedAnswer(answer);
  },
  async take(args) {
    return { values: (await handle(args).takeMany(args.keys.map(bytes))).map(hexOrNull) };
  },
  async pipeline({ map, calls }) {
    const answers = [];
    const requests = calls.map((call) => pipelined(mapRef(ref(map)), call));
    async function* all() {
      yield* requests;
    }
    for await (const { answer } of client.maps.pipeline(all())) {
      if (answer.case === "error") {
        answers.push({ reason: BpfmapError.fromStatus(answer.value).reason });
      } else if ("applied" in answer.value) {
        answers.push({ applied: answer.value.applied });
      } else {
        const { count, values } = answer.value.elements;
        const size = values.length / count;
        const one = (_, index) => hex(values.subarray(index * size, (index + 1) * size));
        answers.push({ values: Array.from({ length: count }, one) });
      }
    }
    return { answers };
  },
  async next_key(args) {
    return { key: hexOrNull(await handle(args).nextKey(args.key && bytes(args.key))) };
  },
  async push(args) {
    const options = { overwriteOldest: args.overwrite_oldest };
    return { applied: await handle(args).push(args.values.map(bytes), options) };
  },
  async pop(args) {
    return { values: (await handle(args).pop(args.max_count)).map(hex) };
  },
  async peek(args) {
    return { value: hexOrNull(await handle(args).peek()) };
  },
  async may_contain(args) {
    return { found: await handle(args).mayContain(bytes(args.value)) };
  },
  async dump(args) {
    const dump = handle(args).dump({
      filter: filter(args),
      projection: args.projection && Projection[args.projection],
      maxElements: args.max_elements,
      ...view(args),
    });
    const elements = [];
    for await (const [key, value] of dump) elements.push([hex(key), hex(value)]);
    const { complete, sent } = await dump.summary;
    return { elements, complete, sent: Number(sent) };
  },
  async load(args) {
    const answer = await handle(args).load(pairs(args.elements), {
      strategy: args.replace ? LoadStrategy.REPLACE : LoadStrategy.MERGE,
      dryRun: args.dry_run,
      allCpus: args.all_cpus,
    });
    return {
      received: Number(answer.received),
      written: Number(answer.written),
      added: numberOf(answer.added),
      changed: numberOf(answer.changed),
      unchanged: numberOf(answer.unchanged),
      removed: numberOf(answer.removed),
    };
  },
  async clear(args) {
    return { removed: Number((await handle(args).clear()).removed) };
  },
  async get_schema(args) {
    const { source, keyDeclaration, valueDeclaration } = await jsonMap(args).schema();
    return { source, key: keyDeclaration, value: valueDeclaration };
  },
  async update_json(args) {
    for (const [key, value] of args.elements) await jsonMap(args).update(key, value);
    return {};
  },
  async lookup_json(args) {
    return { value: (await jsonMap(args).lookup(args.key)) ?? null };
  },
  async dump_json(args) {
    const elements = [];
    for await (const element of jsonMap(args).dump({ order: args.order })) elements.push(element);
    return { elements };
  },
  async read_memory(args) {
    return { data: hex(await handle(args).readMemory(args.offset, args.length)) };
  },
  async write_memory(args) {
    await handle(args).writeMemory(args.offset, bytes(args.data));
    return {};
  },
  async watch_start(args) {
    const watch = handle(args).watch({
      filter: {
        ...filter(args),
        ...(args.keys && { keys: bytes(args.keys.join("")) }),
      },
      pollIntervalMs: args.poll_interval,
      bookmarkIntervalMs: args.bookmark_interval,
      updatesOnly: args.updates_only,
      follow: args.follow,
      fidelity: args.fidelity && WatchFidelity[args.fidelity],
      resumeToken: args.resume_token && bytes(args.resume_token),
    });
    const picture = new Picture(watch, args.follow);
    await picture.start();
    watches.set(args.watch, picture);
    return {};
  },
  async watch_until({ watch, elements, synced, gone = false }) {
    const picture = watches.get(watch);
    const wanted = elements && JSON.stringify(elements.sort());
    const contents = () => [...picture.contents].sort();
    await picture.until(
      () =>
        (wanted === undefined || JSON.stringify(contents()) === wanted) &&
        (!synced || picture.synced) &&
        picture.gone === gone,
    );
    return { elements: contents(), resyncs: picture.resyncs, gone: picture.gone };
  },
  async watch_stop({ watch }) {
    const token = await watches.get(watch).stop();
    watches.delete(watch);
    return { resume_token: hexOrNull(token) };
  },
  async records_start(args) {
    const stream = handle(args).records({
      exclusive: true,
      fromNow: args.from_now,
      queueBytes: args.queue_bytes,
      pagesPerCpu: args.pages_per_cpu,
      slot: args.slot,
    });
    recordings.set(args.stream, await Recording.start(stream));
    return {};
  },
  async records_until({ stream, count }) {
    const recording = recordings.get(stream);
    await recording.until(count);
    return { records: recording.records, lost: recording.lost };
  },
  async records_stop({ stream }) {
    await recordings.get(stream).stop();
    recordings.delete(stream);
    return {};
  },
  async write_records(args) {
    const options = { failWhenFull: args.fail_when_full };
    return { written: Number(await handle(args).writeRecords(args.records.map(bytes), options)) };
  },
  async together(args) {
    const map = handle(args).batched(await handle(args).get());
    const each = async (call) => {
      const outcomes = await Promise.allSettled(pairs(args.elements).map(call));
      return outcomes.filter(
        ({ status: outcome, value }) =>
          outcome === "fulfilled" && value !== false && value !== null,
      ).length;
    };
    return {
      updated: await each(([key, value]) => map.update(key, value)),
      found: await each(async ([key]) => (await map.lookup(key)) ?? null),
      deleted: await each(([key]) => map.delete(key)),
    };
  },
};

function errorAnswer(error) {
  if (!(error instanceof BpfmapError)) throw error;
  return {
    code: status[error.code],
    reason: error.reason,
    fields: error.violations.map(({ field }) => field),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...args } = JSON.parse(line);
  let answer;
  try {
    answer = { answer: await COMMANDS[command](args) };
  } catch (error) {
    answer = { error: errorAnswer(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
for (const picture of watches.values()) await picture.stop();
client.close();
