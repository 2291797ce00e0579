import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { FuzzStage } from "./fuzz-stage.js";

/** Ids of maps, programs and BTF objects, and indices of interfaces, never come this far. */
const NO_ID = 2 ** 31;
/** Past the largest pid that any Linux gives (PID_MAX_LIMIT). */
const NO_PID = 2 ** 22;
const NO_CGROUP = 2n ** 40n;
/** Most bytes of keys and values of a map that a request makes; some thousand can be held. */
const MAX_MAP_BYTES = 64 << 10;
const MAX_ENTRIES = 4096;
/** Sizes past the kernel's limits for every type. */
const NO_SIZE = 2 ** 31;

type Rule = (value: never, message: never) => boolean;
type Fields = Readonly<Record<string, unknown>>;

/**
 * Tells whether a request can touch nothing but what is the stage's own. Ids, names and
 * processes are the whole host's, and other tests run beside this one: a bit that flips in
 * an id must not freeze their map. It also keeps requests from taking the host's memory.
 */
export class OwnObjects {
  readonly #rules: Readonly<Record<string, Rule>>;
  /** Whether a type has a rule anywhere inside. */
  readonly #isRuled = new Map<string, boolean>();

  constructor(stage: FuzzStage) {
    const { prefix, objects } = stage;
    const ids = new Set(stage.maps.map(({ id }) => id));
    const isNoId = (id: number) => id === 0 || id >= NO_ID;
    const isPid = (pid: number) => pid === 0 || pid > NO_PID || pid === objects.sockets.pid;
    const isOwnName = (name: string) => name.startsWith(prefix) || !/^[\w.]{1,15}$/.test(name);
    const isAbsent = (path: string) => !path.startsWith("/") || path.startsWith("/no-such");
    this.#rules = {
      "MapRef.id": (id: number) => ids.has(id) || isNoId(id),
      "MapRef.name": isOwnName,
      "MapSpec.name": (name: string) => isOwnName(name) && name !== "",
      "MapSpec.ifindex": (index: number) => index < 2 || index >= NO_ID,
      "MapSpec.btf_id": isNoId,
      "MapSpec.max_entries": isSmall,
      "Typing.btf_id": isNoId,
      "ProgramRef.id": (id: number) => id === objects.program.id || isNoId(id),
      "CgroupRef.id": (id: bigint) => id === objects.cgroup.id || id === 0n || id > NO_CGROUP,
      "CgroupRef.path": (path: string) => path === objects.cgroup.path || isAbsent(path),
      "InterfaceRef.name": (name: string) =>
        name === "lo" || name.startsWith("no-such") || name === "" || name.length > 15,
      "InterfaceRef.index": (index: number) => index < 2 || index >= NO_ID,
      "TaskRef.pid": isPid,
      "ProcessFileRef.pid": isPid,
      "ObjectKey.path": (path: string) => path.startsWith(stage.directory) || isAbsent(path),
      "PerfEventSpec.type": (type: number) => type < 2 || type >= 2 ** 20,
      // Such a dump would not end while the test runs.
      "DumpMapRequest.max_elements_per_second": (rate: number) => rate === 0 || rate >= 10_000,
    };
  }

  /** Whether a request touches nothing else. */
  holds(schema: DescMessage, message: Message): boolean {
    if (!this.#hasRules(schema, new Set())) return true;
    const values = message as unknown as Fields;
    return schema.fields.every((field) => {
      const value = fieldValue(field, values);
      return value === undefined || this.#holdsField(field, value, values);
    });
  }

  #holdsField(field: DescField, value: unknown, message: Fields): boolean {
    const rule = this.#rules[`${field.parent.name}.${field.name}`];
    if (rule && !rule(value as never, message as never)) return false;
    if (field.fieldKind === "message") return this.holds(field.message, value as Message);
    if (field.fieldKind !== "list" || field.listKind !== "message") return true;
    return (value as Message[]).every((item) => this.holds(field.message, item));
  }

  #hasRules(schema: DescMessage, above: Set<string>): boolean {
    const known = this.#isRuled.get(schema.typeName);
    if (known !== undefined) return known;
    if (above.has(schema.typeName)) return false;
    above.add(schema.typeName);
    const isRuled = schema.fields.some(
      (field) =>
        this.#rules[`${schema.name}.${field.name}`] !== undefined ||
        (field.message !== undefined && this.#hasRules(field.message, above)),
    );
    if (isRuled || above.size === 1) this.#isRuled.set(schema.typeName, isRuled);
    above.delete(schema.typeName);
    return isRuled;
  }
}

function fieldValue(field: DescField, message: Fields): unknown {
  if (field.oneof === undefined) return message[field.localName];
  const chosen = message[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

function isSmall(entries: number, spec: { keySize: number; valueSize: number }): boolean {
  const { keySize, valueSize } = spec;
  if (entries > MAX_ENTRIES) return false;
  if (keySize >= NO_SIZE || valueSize >= NO_SIZE) return true;
  return Math.max(1, entries) * (keySize + valueSize) <= MAX_MAP_BYTES;
}
