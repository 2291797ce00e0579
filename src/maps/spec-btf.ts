import {
  btfGetFdById,
  btfInfo,
  btfLoad,
  closeFd,
  KernelError,
  type MapCreation,
} from "../kernel/index.js";
import { creationBtf } from "./btf-blob.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapSpec } from "./map-spec.js";

type CreationBtf = Pick<MapCreation, "btfFd" | "btfKeyTypeId" | "btfValueTypeId">;

/**
 * The BTF that a spec asks for, or the little one that the kernel wants for the type;
 * close `btfFd`, where there is one, once the map is made.
 *
 * @param field path of the spec in the request
 */
export function btfOf(spec: MapSpec, field: string): CreationBtf {
  const btfFd = openBtf(spec, field);
  if (btfFd === undefined) return creationBtf(spec);
  const { btfKeyTypeId = 0, btfValueTypeId = 0 } = spec;
  return { btfFd, btfKeyTypeId, btfValueTypeId };
}

function openBtf({ btf, btfId }: MapSpec, field: string): number | undefined {
  if (btf) return load(btf, `${field}.btf`);
  return btfId === undefined ? undefined : openById(btfId, `${field}.btf_id`);
}

function load(blob: Uint8Array, field: string): number {
  try {
    return btfLoad(blob);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "EPERM") throw denied(field, error, "CAP_BPF");
    const why = `the kernel refuses this BTF (${error.errno})`;
    throw fieldError("SPEC_INVALID", field, why).with({ errno: error.errno });
  }
}

function openById(id: number, field: string): number {
  const fd = openAny(id, field);
  if (!btfInfo(fd).kernel) return fd;
  closeFd(fd);
  // map_create (kernel/bpf/syscall.c) answers EACCES for btf_is_kernel().
  const why = `BTF ${id} is the kernel's or a module's, which no map can have: load your own in btf`;
  throw fieldError("SPEC_INVALID", field, why);
}

function openAny(id: number, field: string): number {
  try {
    return btfGetFdById(id);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "EPERM") throw denied(field, error, "CAP_SYS_ADMIN");
    if (error.errno !== "ENOENT") throw error;
    throw fieldError("OBJECT_NOT_FOUND", field, `there is no BTF object with id ${id}`);
  }
}

function denied(field: string, cause: KernelError, capability: string): MapError {
  return new MapError("KERNEL_DENIED", `${field}: the daemon lacks ${capability}`, {
    metadata: { capability, errno: cause.errno },
    cause,
  });
}
