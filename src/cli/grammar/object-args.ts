import {
  type MapRef,
  MapType,
  type ObjectKeySchema,
  type ObjectValueSchema,
  type ProgramRefSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";
import { matchKeyword } from "./keyword.js";
import { type MapArg, takeMap } from "./map-arg.js";
import { parseU32, parseUnsigned } from "./number.js";
import type { Words } from "./words.js";

export type ObjectKeyInit = MessageInitShape<typeof ObjectKeySchema>;
export type ObjectValueInit = MessageInitShape<typeof ObjectValueSchema>;
type ProgramInit = MessageInitShape<typeof ProgramRefSchema>;

/** How maps and paths of a command become those of the daemon's host. */
export interface HostNames {
  mapRef(map: MapArg): MapRef;
  hostPath(path: string): string;
}

type TakeValue = (words: Words, names: HostNames) => ObjectValueInit;
type TakeKey = (words: Words) => ObjectKeyInit;

const innerMap: TakeValue = (words, names) => ({
  object: { case: "map", value: names.mapRef(takeMap(words)) },
});

const program: TakeValue = (words, names) => ({
  object: { case: "program", value: takeProgram(words, names) },
});

const device: TakeValue = (words, names) => {
  expect(words, "interface", "interface NAME [program PROG]");
  const word = words.next("the interface's name or index");
  const index = parseUnsigned(word);
  const ref =
    index === undefined
      ? { case: "name" as const, value: word }
      : { case: "index" as const, value: index };
  const rest = takeOptionalProgram(words, names);
  return { object: { case: "device", value: { interface: { ref }, ...rest } } };
};

const cpu: TakeValue = (words, names) => {
  expect(words, "queue", "queue SIZE [program PROG]");
  const queueSize = parseU32(words.next("the queue's size in frames"), "the queue's size");
  return { object: { case: "cpu", value: { queueSize, ...takeOptionalProgram(words, names) } } };
};

const cgroup: TakeValue = (words) => ({
  object: { case: "cgroup", value: takeCgroup(words) },
});

const socket: TakeValue = (words) => ({
  object: { case: "socket", value: takeSocket(words) },
});

const perfEvent: TakeValue = (words) => {
  expect(words, "event", "event { cpu CPU | PID FD }");
  if (!words.take("cpu")) {
    const file = takeProcessFile(words);
    return { object: { case: "perfEvent", value: { ref: { case: "file", value: file } } } };
  }
  const number = parseU32(words.next("the CPU's number"), "the CPU's number");
  // What programs write records to: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT.
  const spec = { type: 1, config: 10n, cpu: number };
  return { object: { case: "perfEvent", value: { ref: { case: "spec", value: spec } } } };
};

const VALUES: Partial<Record<MapType, TakeValue>> = {
  [MapType.PROG_ARRAY]: program,
  [MapType.PERF_EVENT_ARRAY]: perfEvent,
  [MapType.CGROUP_ARRAY]: cgroup,
  [MapType.ARRAY_OF_MAPS]: innerMap,
  [MapType.HASH_OF_MAPS]: innerMap,
  [MapType.DEVMAP]: device,
  [MapType.DEVMAP_HASH]: device,
  [MapType.CPUMAP]: cpu,
  [MapType.XSKMAP]: socket,
  [MapType.SOCKMAP]: socket,
  [MapType.SOCKHASH]: socket,
  [MapType.REUSEPORT_SOCKARRAY]: socket,
};

const taskKey: TakeKey = (words) => {
  expect(words, "task", "task PID");
  const pid = parseU32(words.next("the process id"), "the process id");
  return { object: { case: "task", value: { pid } } };
};

const pathKey: TakeKey = (words) => {
  expect(words, "path", "path PATH");
  return { object: { case: "path", value: words.next("the path") } };
};

const socketKey: TakeKey = (words) => ({
  object: { case: "socket", value: takeSocket(words) },
});

const cgroupKey: TakeKey = (words) => ({
  object: { case: "cgroup", value: takeCgroup(words) },
});

const attachmentKey: TakeKey = (words) => {
  const group = takeCgroup(words);
  const attachType = words.take("attach_type")
    ? parseU32(words.next("the attach type's number"), "the attach type")
    : 0;
  return { object: { case: "attachment", value: { cgroup: group, attachType } } };
};

const KEYS: Partial<Record<MapType, TakeKey>> = {
  [MapType.SK_STORAGE]: socketKey,
  [MapType.INODE_STORAGE]: pathKey,
  [MapType.TASK_STORAGE]: taskKey,
  [MapType.CGRP_STORAGE]: cgroupKey,
};

/** Takes the value of a map of kernel objects; undefined for maps of bytes. */
export function takeObjectValue(
  words: Words,
  type: MapType,
  names: HostNames,
): ObjectValueInit | undefined {
  return VALUES[type]?.(words, names);
}

/** Takes the key of a map whose keys are kernel objects; undefined for keys of bytes. */
export function takeObjectKey(words: Words, type: MapType): ObjectKeyInit | undefined {
  const isCgroupStorage = type === MapType.CGROUP_STORAGE || type === MapType.PERCPU_CGROUP_STORAGE;
  // Their keys are bytes, too, and DATA begins with no such word.
  if (isCgroupStorage && words.peek() === "cgroup") return attachmentKey(words);
  return KEYS[type]?.(words);
}

/** Takes PROG := { id PROG_ID | pinned FILE }. */
function takeProgram(words: Words, names: HostNames): ProgramInit {
  const word = words.next("a program (id N or pinned FILE)");
  switch (matchKeyword(word, ["id", "pinned"])) {
    case "id": {
      const value = parseU32(words.next("the program's id after 'id'"), "the program's id");
      return { ref: { case: "id", value } };
    }
    case "pinned":
      return { ref: { case: "pinPath", value: names.hostPath(words.next("the program's pin")) } };
    default:
      throw new CliError(`expected a program ('id' or 'pinned'), got: '${word}'?`);
  }
}

function takeOptionalProgram(words: Words, names: HostNames): { program?: ProgramInit } {
  return words.take("program") ? { program: takeProgram(words, names) } : {};
}

function takeCgroup(words: Words) {
  expect(words, "cgroup", "cgroup { PATH | id ID }");
  if (!words.take("id")) {
    return { ref: { case: "path" as const, value: words.next("the cgroup's path") } };
  }
  const id = words.next("the cgroup's id");
  if (!/^\d{1,20}$/.test(id)) throw new CliError(`"${id}" is no cgroup's id`);
  return { ref: { case: "id" as const, value: BigInt(id) } };
}

function takeSocket(words: Words) {
  expect(words, "socket", "socket PID FD");
  return { ref: { case: "file" as const, value: takeProcessFile(words) } };
}

function takeProcessFile(words: Words): { pid: number; fd: number } {
  const pid = parseU32(words.next("the process id"), "the process id");
  const fd = parseU32(words.next("the number of the file in that process"), "the file's number");
  return { pid, fd };
}

function expect(words: Words, keyword: string, usage: string): void {
  if (words.take(keyword)) return;
  throw new CliError(`expected ${usage}, got: '${words.peek() ?? ""}'?`);
}
