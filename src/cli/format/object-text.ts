import type {
  CgroupRef,
  InterfaceRef,
  MapRef,
  ObjectValue,
  PerfEventRef,
  ProgramRef,
  SocketRef,
  StackFrame,
} from "@bpfmapd/client/proto";

/** A kernel object in the words of the grammar, or that the kernel does not tell it. */
export function objectText({ object }: ObjectValue): string {
  switch (object.case) {
    case "program":
      return `program ${programText(object.value)}`;
    case "map":
      return `map ${mapText(object.value)}`;
    case "cgroup":
      return `cgroup ${cgroupText(object.value)}`;
    case "device":
      return `interface ${interfaceText(object.value.interface)}${withProgram(object.value)}`;
    case "cpu":
      return `queue ${object.value.queueSize}${withProgram(object.value)}`;
    case "socket":
      return `socket ${socketText(object.value)}`;
    case "perfEvent":
      return `event ${eventText(object.value)}`;
    case "stackTrace":
      return object.value.frames.map(frameText).join("\n");
    case undefined:
      return "not readable";
  }
}

/** A kernel object as plain data for JSON; null where the kernel does not tell it. */
export function objectData({ object }: ObjectValue): Record<string, unknown> | null {
  switch (object.case) {
    case "program":
      return programData(object.value);
    case "map":
      return { map: mapText(object.value) };
    case "cgroup":
      return { cgroup: cgroupText(object.value) };
    case "device": {
      const { interface: device, program } = object.value;
      return { interface: interfaceText(device), ...(program && programData(program)) };
    }
    case "cpu": {
      const { queueSize, program } = object.value;
      return { queue_size: queueSize, ...(program && programData(program)) };
    }
    case "socket":
      return { socket: socketText(object.value) };
    case "perfEvent":
      return { event: eventText(object.value) };
    case "stackTrace":
      return { frames: object.value.frames.map(frameData) };
    case undefined:
      return null;
  }
}

function programText({ ref }: ProgramRef): string {
  return ref.case === "pinPath" ? `pinned ${ref.value}` : `id ${ref.value}`;
}

function programData({ ref }: ProgramRef): Record<string, unknown> {
  return ref.case === "pinPath" ? { program_pin: ref.value } : { program_id: ref.value };
}

function mapText({ ref }: MapRef): string {
  return ref.case === "pinPath" ? `pinned ${ref.value}` : `${ref.case} ${ref.value}`;
}

function cgroupText({ ref }: CgroupRef): string {
  return ref.case === "path" ? ref.value : `id ${ref.value}`;
}

function interfaceText(ref: InterfaceRef | undefined): string {
  return String(ref?.ref.value ?? "");
}

function withProgram({ program }: { readonly program?: ProgramRef | undefined }): string {
  return program ? ` program ${programText(program)}` : "";
}

function socketText({ ref }: SocketRef): string {
  return ref.case === "file" ? `${ref.value.pid} ${ref.value.fd}` : `cookie ${ref.value}`;
}

function eventText({ ref }: PerfEventRef): string {
  return ref.case === "file" ? `${ref.value.pid} ${ref.value.fd}` : `cpu ${ref.value?.cpu}`;
}

function frameText(frame: StackFrame): string {
  const { location, symbol, symbolOffset, module } = frame;
  const place =
    location.case === "buildId"
      ? `${Buffer.from(location.value.buildId).toString("hex")}+0x${location.value.offset.toString(16)}`
      : `0x${(location.value ?? 0n).toString(16).padStart(16, "0")}`;
  if (symbol === "") return place;
  return `${place} ${symbol}+0x${symbolOffset.toString(16)}${module && ` [${module}]`}`;
}

function frameData({ location, symbol, symbolOffset, module }: StackFrame) {
  const place =
    location.case === "buildId"
      ? {
          build_id: Buffer.from(location.value.buildId).toString("hex"),
          offset: Number(location.value.offset),
        }
      : { address: `0x${(location.value ?? 0n).toString(16)}` };
  return {
    ...place,
    ...(symbol !== "" && { symbol, symbol_offset: Number(symbolOffset) }),
    ...(module !== "" && { module }),
  };
}
