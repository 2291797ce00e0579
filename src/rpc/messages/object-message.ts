import type {
  CgroupRef as CgroupMessage,
  InterfaceRef as InterfaceMessage,
  ObjectKey as ObjectKeyMessage,
  ObjectValue as ObjectValueMessage,
  ObjectValueSchema,
  PerfEventRef as PerfEventMessage,
  ProcessFileRef as ProcessFileMessage,
  ProgramRef as ProgramMessage,
  SocketRef as SocketMessage,
  StackFrameSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CgroupRef,
  fieldError,
  type InterfaceRef,
  type MapAccess,
  type ObjectKey,
  type ObjectValue,
  type PerfEventRef,
  type ProcessFileRef,
  type ProgramRef,
  type SocketRef,
  type StackFrame,
} from "../../maps/index.js";
import { toMapRef } from "./map-ref-message.js";

type ValueMessage = MessageInitShape<typeof ObjectValueSchema>;
type Of<Union, Kind> = Extract<Union, { kind: Kind }>;

/**
 * The value that a request names.
 *
 * @param access what the caller may do with a map that is the value
 * @param field its path in the request
 */
export function toObjectValue(
  { object }: ObjectValueMessage,
  access: MapAccess | undefined,
  field: string,
): ObjectValue {
  switch (object.case) {
    case "program":
      return { kind: "program", program: toProgramRef(object.value, `${field}.program`) };
    case "map":
      return { kind: "map", map: toMapRef(object.value, access, `${field}.map`) };
    case "cgroup":
      return { kind: "cgroup", cgroup: toCgroupRef(object.value, `${field}.cgroup`) };
    case "device": {
      const { interface: device, program } = object.value;
      const at = `${field}.device`;
      return {
        kind: "device",
        device: {
          interface: toInterfaceRef(device, `${at}.interface`),
          program: program && toProgramRef(program, `${at}.program`),
        },
      };
    }
    case "cpu": {
      const { queueSize, program } = object.value;
      const at = `${field}.cpu.program`;
      return { kind: "cpu", cpu: { queueSize, program: program && toProgramRef(program, at) } };
    }
    case "socket":
      return { kind: "socket", socket: toSocketRef(object.value, `${field}.socket`) };
    case "perfEvent":
      return { kind: "perfEvent", perfEvent: toPerfEventRef(object.value, `${field}.perf_event`) };
    case "stackTrace":
      throw fieldError("FIELD_INVALID", `${field}.stack_trace`, "can only be read");
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no object");
  }
}

/** The key that a request names; `field` is its path in the request. */
export function toObjectKey({ object }: ObjectKeyMessage, field: string): ObjectKey {
  switch (object.case) {
    case "socket":
      return { kind: "socket", socket: toSocketRef(object.value, `${field}.socket`) };
    case "path":
      return { kind: "path", path: object.value };
    case "task":
      return { kind: "task", pid: object.value.pid };
    case "cgroup":
      return { kind: "cgroup", cgroup: toCgroupRef(object.value, `${field}.cgroup`) };
    case "attachment": {
      const { cgroup, attachType } = object.value;
      const at = `${field}.attachment.cgroup`;
      return { kind: "attachment", cgroup: toCgroupRef(cgroup, at), attachType };
    }
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no object");
  }
}

/** The program that a request names. */
export function toProgramRef(message: ProgramMessage | undefined, field: string): ProgramRef {
  const ref = message?.ref;
  switch (ref?.case) {
    case "id":
      return { by: "id", id: ref.value };
    case "pinPath":
      return { by: "pinPath", pinPath: ref.value };
    default:
      throw fieldError("FIELD_INVALID", field, "names no program: give id or pin_path");
  }
}

function toCgroupRef(message: CgroupMessage | undefined, field: string): CgroupRef {
  const ref = message?.ref;
  switch (ref?.case) {
    case "path":
      return { by: "path", path: ref.value };
    case "id":
      return { by: "id", id: ref.value };
    default:
      throw fieldError("FIELD_INVALID", field, "names no cgroup: give path or id");
  }
}

function toInterfaceRef(message: InterfaceMessage | undefined, field: string): InterfaceRef {
  const ref = message?.ref;
  switch (ref?.case) {
    case "name":
      return { by: "name", name: ref.value };
    case "index":
      return { by: "index", index: ref.value };
    default:
      throw fieldError("FIELD_INVALID", field, "names no interface: give name or index");
  }
}

function toSocketRef({ ref }: SocketMessage, field: string): SocketRef {
  switch (ref.case) {
    case "file":
      return { by: "file", file: toProcessFile(ref.value) };
    case "cookie":
      return { by: "cookie", cookie: ref.value };
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no socket: give file");
  }
}

function toPerfEventRef({ ref }: PerfEventMessage, field: string): PerfEventRef {
  switch (ref.case) {
    case "file":
      return { by: "file", file: toProcessFile(ref.value) };
    case "spec": {
      const { type, config, cpu } = ref.value;
      return { by: "spec", spec: { type, config, cpu } };
    }
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no perf event: give file or spec");
  }
}

function toProcessFile({ pid, fd }: ProcessFileMessage): ProcessFileRef {
  return { pid, fd };
}

/** A value that is a kernel object, as the contract tells it; empty where it is not known. */
export function objectValueMessage(value: ObjectValue): ValueMessage {
  switch (value.kind) {
    case "none":
      return {};
    case "program":
      return { object: { case: "program", value: programMessage(value.program) } };
    case "map":
      return { object: { case: "map", value: mapMessage(value) } };
    case "cgroup":
      return { object: { case: "cgroup", value: cgroupMessage(value.cgroup) } };
    case "device":
      return { object: { case: "device", value: deviceMessage(value) } };
    case "cpu": {
      const { queueSize, program } = value.cpu;
      const cpu = { queueSize, ...(program && { program: programMessage(program) }) };
      return { object: { case: "cpu", value: cpu } };
    }
    case "socket":
      return { object: { case: "socket", value: socketMessage(value.socket) } };
    case "perfEvent":
      return { object: { case: "perfEvent", value: perfEventMessage(value.perfEvent) } };
    case "stackTrace":
      return {
        object: { case: "stackTrace", value: { frames: value.frames.map(frameMessage) } },
      };
  }
}

function programMessage(ref: ProgramRef) {
  return ref.by === "id"
    ? { ref: { case: "id" as const, value: ref.id } }
    : { ref: { case: "pinPath" as const, value: ref.pinPath } };
}

function mapMessage({ map }: Of<ObjectValue, "map">) {
  const { bootId } = map;
  switch (map.by) {
    case "id":
      return { ref: { case: "id" as const, value: map.id }, bootId };
    case "pinPath":
      return { ref: { case: "pinPath" as const, value: map.pinPath }, bootId };
    case "name":
      return { ref: { case: "name" as const, value: map.name }, bootId };
    case "held":
      return { ref: { case: "held" as const, value: map.held }, bootId };
  }
}

function cgroupMessage(ref: CgroupRef) {
  return ref.by === "path"
    ? { ref: { case: "path" as const, value: ref.path } }
    : { ref: { case: "id" as const, value: ref.id } };
}

function deviceMessage({ device }: Of<ObjectValue, "device">) {
  const ref = device.interface;
  return {
    interface:
      ref.by === "name"
        ? { ref: { case: "name" as const, value: ref.name } }
        : { ref: { case: "index" as const, value: ref.index } },
    ...(device.program && { program: programMessage(device.program) }),
  };
}

function socketMessage(ref: SocketRef) {
  return ref.by === "cookie"
    ? { ref: { case: "cookie" as const, value: ref.cookie } }
    : { ref: { case: "file" as const, value: ref.file } };
}

function perfEventMessage(ref: PerfEventRef) {
  return ref.by === "file"
    ? { ref: { case: "file" as const, value: ref.file } }
    : { ref: { case: "spec" as const, value: ref.spec } };
}

function frameMessage(frame: StackFrame): MessageInitShape<typeof StackFrameSchema> {
  const { location, symbol = "", symbolOffset = 0, module = "" } = frame;
  return {
    location:
      location.kind === "address"
        ? { case: "address", value: location.address }
        : {
            case: "buildId",
            value: { buildId: Uint8Array.from(location.buildId), offset: location.offset },
          },
    symbol,
    symbolOffset: BigInt(symbolOffset),
    module,
  };
}
