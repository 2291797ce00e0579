import type { Dice } from "./dice.js";
import type { FuzzMap, FuzzStage } from "./fuzz-stage.js";
import { KEY_TEXTS, VALUE_TEXTS } from "./fuzz-types.js";
import type { FieldMaker } from "./message-maker.js";

/** Names of the holds that requests ask for. */
export const HOLDS = Array.from({ length: 400 }, (_, index) => `r${index}`);

/** What requests are about while they are made. */
export interface FuzzSubject {
  /** Maps that most requests name. */
  favoured: readonly FuzzMap[];
  /** Number of the message in its stream, from 0. */
  position: number;
}

const rarely =
  <T>(probability: number, make: (dice: Dice) => T) =>
  (dice: Dice): T | undefined =>
    dice.chance(probability) ? make(dice) : undefined;

/**
 * Makers of the fields that name or size something. Ids and names are of the stage's maps
 * or of none at all: see {@link OwnObjects}.
 */
export function fieldMakers(
  { maps, prefix, bpffs, directory, objects }: FuzzStage,
  subject: FuzzSubject,
): Record<string, FieldMaker> {
  const names = maps.map(({ name }) => name);
  const any = (dice: Dice) => dice.pick(dice.chance(0.7) ? subject.favoured : maps);
  const hold = (dice: Dice) =>
    dice.pick(dice.chance(0.9) ? HOLDS : [...names, "", "../x", "a b", "x".repeat(64)]);
  const path = (dice: Dice) => {
    const name = dice.pick([...names, "p1", "p2", "p3", "d/p4", "d/e/f/p5", "d", "x.y", ""]);
    const isGood = dice.chance(0.95);
    return isGood ? `${bpffs}/${name}` : dice.pick(["", "/", "/tmp/x", "x", `${bpffs}/../x`]);
  };
  const detail = (dice: Dice) => ({
    pins: dice.chance(0.02),
    holders: dice.chance(0.002),
    programs: dice.chance(0.01),
    innerMap: dice.chance(0.5),
  });
  const stale = rarely(0.01, (dice) => dice.pick(["", "x", "b".repeat(65)]));
  const kind = (first: string, rest: string) => (dice: Dice) =>
    dice.chance(0.95) ? (subject.position === 0 ? first : rest) : dice.pick([first, rest]);
  const keyTexts = rarely(0.05, (dice) => [dice.pick(KEY_TEXTS)]);
  const valueTexts = rarely(0.05, (dice) => [dice.pick(VALUE_TEXTS)]);
  const noPid = 2 ** 31 - 1;
  return {
    // A map by name is looked for among all that the host has, which takes its time.
    "MapRef.ref": (dice) =>
      dice.chance(0.01) ? "name" : dice.pick(["id", "id", "pin_path", "held"]),
    "MapRef.id": (dice) => (dice.chance(0.98) ? any(dice).id : dice.pick([0, 2 ** 32 - 1])),
    "MapRef.name": (dice) => dice.pick(dice.chance(0.9) ? names : ["", "-", prefix]),
    "MapRef.held": (dice) => (dice.chance(0.9) ? any(dice).name : hold(dice)),
    "MapRef.pin_path": (dice) => (dice.chance(0.8) ? any(dice).pinPath : path(dice)),
    "MapRef.boot_id": stale,
    "MapSpec.type": (dice) => dice.pick([0, 1, 1, 2, 5, 6, 9, 11, 22, 30, 99, dice.number(36)]),
    "MapSpec.name": (dice) => dice.pick([`${prefix}x`, `${prefix}y`, "no-name"]),
    "MapSpec.key_size": (dice) => dice.pick([0, 0, 1, 4, 4, 4, 4, 8, 260, 2 ** 32 - 1]),
    "MapSpec.value_size": (dice) => dice.pick([0, 1, 4, 4, 8, 8, 8, 64, 1000, 2 ** 32 - 1]),
    // No more: the kernel takes memory for all of them at once.
    "MapSpec.max_entries": (dice) => dice.pick([0, 1, 1, 2, 16, 64, 4096]),
    "MapSpec.flags": (dice) => dice.pick([0, 0, 0, 0, 1, 2, 4, 8, 128, 1024, 2 ** 25, 2 ** 32 - 1]),
    "MapSpec.map_extra": rarely(0.1, (dice) => dice.pick([1n, 16n, 2n ** 63n])),
    "MapSpec.numa_node": rarely(0.05, (dice) => dice.pick([1, 900])),
    "MapSpec.ifindex": rarely(0.05, (dice) => dice.pick([1, 2 ** 31])),
    "MapSpec.inner_map_spec": rarely(0.1, () => ({
      ...{ type: 2, name: `${prefix}i`, keySize: 4, valueSize: 8, maxEntries: 1 },
    })),
    "MapSpec.inner_map": rarely(0.05, () => ({ ref: { case: "id", value: maps[0]!.id } })),
    "MapSpec.btf": rarely(0.05, (dice) =>
      dice.pick([dice.bytes(40), maps.find(({ btf }) => btf)?.btf ?? dice.bytes(4)]),
    ),
    "MapSpec.btf_id": rarely(0.02, (dice) => dice.pick([2 ** 31, 2 ** 32 - 1])),
    "MapSpec.btf_key_type_id": rarely(0.05, (dice) => dice.number(9)),
    "MapSpec.btf_value_type_id": rarely(0.05, (dice) => dice.number(9)),
    "MapSpec.btf_vmlinux_value_type_id": rarely(0.05, (dice) => dice.number(100_000)),
    "CreateMapRequest.pin_path": rarely(0.4, path),
    "HoldSpec.name": hold,
    "HoldSpec.lease": rarely(0.3, (dice) => ({ seconds: BigInt(dice.pick([1, 60, 60, 0, 1e9])) })),
    "ReleaseMapRequest.name": hold,
    "KeepAliveRequest.names": (dice) => Array.from({ length: dice.number(4) }, () => hold(dice)),
    "PinMapRequest.path": path,
    "UnpinMapRequest.path": path,
    "LoadMapRequest.kind": kind("start", "elements"),
    "WriteRecordsRequest.kind": kind("start", "records"),
    "Elements.json_keys": keyTexts,
    "Elements.json_values": valueTexts,
    "Elements.object_keys": rarely(0.05, () => []),
    "Elements.object_values": rarely(0.05, () => []),
    ...Object.fromEntries(
      ["Lookup", "Delete", "Take"].flatMap((verb) => [
        [`${verb}ElementsRequest.json_keys`, keyTexts],
        [`${verb}ElementsRequest.object_keys`, rarely(0.05, () => [{}])],
        [`${verb}ElementsRequest.count`, (dice: Dice) => dice.pick([1, 1, 1, 2, 0, 2 ** 32 - 1])],
      ]),
    ),
    "LoadStart.outer_key": rarely(0.05, (dice) => dice.bytes(4)),
    "LoadStart.strategy": (dice) => dice.pick([0, 1, 1, 2, 2, 3, 9]),
    "WriteRecordsStart.when_full": (dice) => dice.pick([2, 2, 2, 2, 1, 0]),
    "DumpMapRequest.chunk_bytes": (dice) => dice.pick([0, 0, 1, 100, 65_536, 2 ** 32 - 1]),
    "ElementOrder.limit": (dice) => dice.pick([1, 2, 100_000, 0, 100_001]),
    "NextKeyRequest.json_key": rarely(0.05, (dice) => dice.pick(KEY_TEXTS)),
    // The kernel's own types are large, and read only where somebody asks for them.
    "Typing.kernel": (dice) => dice.pick(["", "no_such", "../vmlinux", "v".repeat(65)]),
    "Typing.btf_id": (dice) => dice.pick([0, 2 ** 31]),
    "ProgramRef.id": (dice) => dice.pick([objects.program.id, objects.program.id, 0, 2 ** 31]),
    "ProgramRef.pin_path": path,
    "CgroupRef.path": (dice) => dice.pick([objects.cgroup.path, "/no-such", "x", ""]),
    "CgroupRef.id": (dice) => dice.pick([objects.cgroup.id, 0n, 2n ** 63n]),
    "InterfaceRef.name": (dice) => dice.pick(["lo", "lo", "no-such", "", "i".repeat(16)]),
    "InterfaceRef.index": (dice) => dice.pick([1, 0, 2 ** 31]),
    "TaskRef.pid": (dice) => dice.pick([objects.sockets.pid, 0, noPid]),
    "ProcessFileRef.pid": (dice) => dice.pick([objects.sockets.pid, objects.sockets.pid, 0, noPid]),
    "ProcessFileRef.fd": (dice) => dice.pick([...objects.sockets.fds, 0, 1, 900, 2 ** 31 - 1]),
    "ObjectKey.path": (dice) =>
      dice.pick([directory, bpffs, "/no-such/file", "", "x", "/no-such\0"]),
    "PerfEventSpec.type": (dice) => dice.pick([1, 1, 0, 2 ** 31]),
    "PerfEventSpec.config": (dice) => dice.pick([0n, 10n, 2n ** 63n]),
    "PerfEventSpec.cpu": (dice) => dice.pick([0, 0, 1, 4096, 2 ** 32 - 1]),
    "CpuValue.queue_size": (dice) => dice.pick([1, 8, 64, 0, 16_385]),
    "FieldCondition.field": (dice) => dice.pick(FIELDS),
    "FieldCondition.json_value": (dice) => dice.pick(["1", '"BUSY"', '"NaN"', "true", "{", ""]),
    "ElementOrder.field": (dice) => dice.pick(FIELDS),
    // A dump that is throttled to a few elements a second would last.
    "DumpMapRequest.max_elements_per_second": rarely(0.2, (dice) =>
      dice.pick([10_000, 2 ** 32 - 1]),
    ),
    "DumpMapRequest.progress_interval": rarely(0.2, (dice) => ({
      nanos: dice.pick([1, 1e8, 9e8]),
    })),
    "ReadRecordsRequest.exclusive": (dice) => dice.chance(0.95),
    "ReadRecordsRequest.queue_bytes": rarely(0.3, (dice) => dice.pick([1n, 65_536n, 2n ** 40n])),
    "ReadRecordsRequest.pages_per_cpu": rarely(0.3, (dice) => dice.pick([1, 3, 8, 4097])),
    "ReadMemoryRequest.offset": (dice) => dice.pick([0n, 0n, 8n, 4096n, 2n ** 63n, 2n ** 64n - 1n]),
    "ReadMemoryRequest.length": (dice) => dice.pick([0, 1, 8, 64, 2 ** 32 - 1]),
    "WriteMemoryRequest.offset": (dice) => dice.pick([0n, 0n, 8n, 4096n, 2n ** 64n - 1n]),
    "WatchRequest.poll_interval": rarely(0.3, (dice) => ({ nanos: dice.pick([0, 1e7, 1e8, -1]) })),
    "WatchRequest.resume_token": (dice) => dice.bytes(dice.pick([0, 1, 32, 64, 1025])),
    "ListMapsRequest.page_size": (dice) => dice.pick([1, 1, 2, 3, 10_001]),
    "ListMapsRequest.page_token": (dice) => dice.pick(["", "", "AAAAAQ", "AAAA", "?"]),
    "ListMapsRequest.filter": rarely(0.002, () => ({ nameGlob: `${prefix}*`, types: [1, 2] })),
    "ListMapsRequest.detail": detail,
    "GetMapRequest.detail": detail,
    "ExplainAccessRequest.caller": rarely(0.3, (dice) => ({
      uid: dice.pick([0, 1000, 2 ** 32 - 1]),
      gids: [1, 2],
      sans: [dice.pick(["", "a", "spiffe://x/y"])],
      claimsJson: dice.pick(["", "{}", "{", "[]", '{"a":{"b":[1]}}', "[".repeat(9999)]),
    })),
    "HealthCheckRequest.service": (dice) =>
      dice.pick(["", "", "bpfmap.v1.MapService", "no.such", "x".repeat(9999)]),
    "ServerReflectionRequest.message_request": (dice) => dice.pick(REFLECTED),
  };
}

const FIELDS = [
  ...["value", "key", "value.ratio", "value.delta", "value.state", "value.text", "value.text[1]"],
  ...["value.text[2]", "value.none", 'value."ratio"', 'value."', "value..", "", "key[0]"],
];

const REFLECTED = [
  ...["file_by_filename", "file_containing_symbol", "file_containing_extension"],
  ...["all_extension_numbers_of_type", "list_services"],
];
