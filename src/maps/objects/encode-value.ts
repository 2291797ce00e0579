import type { EncodeContext } from "../element-codec.js";
import { fieldError } from "../map-error.js";
import type { MapRef } from "../map-ref.js";
import { MapType } from "../map-type.js";
import type { ObjectValue, ProgramRef } from "../object-ref.js";
import { openMap } from "../resolve.js";
import { findInterface } from "./find-interface.js";
import { objectError } from "./object-error.js";
import { openCgroupOf } from "./open-cgroup.js";
import { openPerfEventOf, openSocket } from "./open-file.js";
import { openProgram, programType } from "./open-program.js";

/** AF_XDP. */
const XDP_DOMAIN = 44;
/** BPF_PROG_TYPE_XDP. */
const XDP_PROGRAM = 6;

type Kind = Exclude<ObjectValue["kind"], "none" | "stackTrace">;
type Of<K extends Kind> = Extract<ObjectValue, { kind: K }>;

/** Writes the kernel's form of an object into a value of the map's size; opens what it must. */
type Encoder<K extends Kind> = (
  value: Of<K>,
  into: Buffer,
  field: string,
  context: EncodeContext,
) => void | Promise<void>;

const ENCODERS: { readonly [K in Kind]: Encoder<K> } = {
  program({ program }, into, field, context) {
    const at = `${field}.program`;
    const fd = openProgramOnce(program, at, context);
    checkOwner(fd, at, context);
    into.writeUInt32LE(fd);
  },

  async map({ map }, into, field, context) {
    into.writeUInt32LE(await openInnerMap(map, `${field}.map`, context));
  },

  async cgroup({ cgroup }, into, field, { fds }) {
    into.writeUInt32LE(fds.add((await openCgroupOf(cgroup, `${field}.cgroup`)).fd));
  },

  device({ device }, into, field, context) {
    const at = `${field}.device`;
    into.writeUInt32LE(findInterface(device.interface, `${at}.interface`), 0);
    writeProgram(device.program, into, `${at}.program`, context);
  },

  cpu({ cpu }, into, field, context) {
    into.writeUInt32LE(cpu.queueSize, 0);
    writeProgram(cpu.program, into, `${field}.cpu.program`, context);
  },

  socket({ socket }, into, field, { fds, map }) {
    const at = `${field}.socket`;
    const { fd, facts } = openSocket(socket, at);
    fds.add(fd);
    const wantsXdp = map.info.type === MapType.XSKMAP;
    if (wantsXdp && facts.domain !== XDP_DOMAIN) {
      throw objectError("OBJECT_WRONG_KIND", at, "the socket is no AF_XDP socket");
    }
    into.writeUInt32LE(fd);
  },

  perfEvent({ perfEvent }, into, field, { fds }) {
    into.writeUInt32LE(fds.add(openPerfEventOf(perfEvent, `${field}.perf_event`)));
  },
};

/** Writes one value as the kernel takes it; what it names is opened for the request. */
export async function encodeObjectValue(
  value: ObjectValue,
  into: Buffer,
  field: string,
  context: EncodeContext,
): Promise<void> {
  if (value.kind === "none" || value.kind === "stackTrace") {
    throw fieldError("FIELD_INVALID", field, "names no object that can be written");
  }
  // Each encoder takes the kind that it stands under.
  const encode = ENCODERS[value.kind] as Encoder<Kind>;
  await encode(value, into, field, context);
}

function openProgramOnce(ref: ProgramRef, field: string, { host, fds }: EncodeContext): number {
  const key = ref.by === "id" ? `program ${ref.id}` : `program at ${ref.pinPath}`;
  return fds.once(key, () => openProgram(host, ref, field));
}

async function openInnerMap(ref: MapRef, field: string, context: EncodeContext): Promise<number> {
  const { host, fds } = context;
  const inner = await openMap(host, ref, field).catch((error: unknown) => {
    throw explainMissing(error, field);
  });
  fds.onClose(() => inner.close());
  return inner.fd;
}

/** What is missing is the object, not the map of the request. */
function explainMissing(error: unknown, field: string): unknown {
  const { reason, message } = error as { reason?: string; message?: string };
  const isMissing =
    reason === "MAP_NOT_FOUND" || reason === "PIN_NOT_FOUND" || reason === "HOLD_NOT_FOUND";
  if (isMissing) return objectError("OBJECT_NOT_FOUND", field, message ?? "", error);
  if (reason === "NOT_A_MAP") return objectError("OBJECT_WRONG_KIND", field, message ?? "", error);
  return error;
}

/**
 * Refuses a program of another type than those that the map, or an earlier element of the
 * request, belongs to, so that the whole request is refused.
 */
function checkOwner(fd: number, field: string, { map, fds }: EncodeContext): void {
  const type = programType(fd);
  const owner = fds.note("owner", () => map.ownerProgramType() ?? type);
  if (type === owner) return;
  throw objectError(
    "OBJECT_UNSUITABLE",
    field,
    `a program of type ${type} given, ${map.label} belongs to programs of type ${owner}`,
  );
}

/** The second word of a value of 8 bytes: an XDP program, or none. */
function writeProgram(
  ref: ProgramRef | undefined,
  into: Buffer,
  field: string,
  context: EncodeContext,
): void {
  if (!ref) return;
  if (into.length < 8) {
    const why = `${context.map.label} has values of 4 bytes, which hold no program`;
    throw objectError("FIELD_INVALID", field, why);
  }
  const fd = openProgramOnce(ref, field, context);
  if (programType(fd) !== XDP_PROGRAM) {
    throw objectError("OBJECT_UNSUITABLE", field, "it is no XDP program");
  }
  into.writeUInt32LE(fd, 4);
}
