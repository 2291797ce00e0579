import { closeFd, objectKind, programGetFdById, programInfo } from "../../kernel/index.js";
import { MapError } from "../map-error.js";
import type { MapHost } from "../map-host.js";
import type { ProgramRef } from "../object-ref.js";
import { explainOpening, objectError } from "./object-error.js";

/** Opens the program that a reference names: an fd for the caller to close. */
export function openProgram(host: MapHost, ref: ProgramRef, field: string): number {
  return ref.by === "id" ? openById(ref.id, `${field}.id`) : openPin(host, ref.pinPath, field);
}

/** The type of an open program, `enum bpf_prog_type`. */
export function programType(fd: number): number {
  return programInfo(fd).type;
}

function openById(id: number, field: string): number {
  try {
    return programGetFdById(id);
  } catch (error) {
    throw explainOpening(error, field, `program with id ${id}`, ["ENOENT"], "CAP_SYS_ADMIN");
  }
}

function openPin(host: MapHost, path: string, field: string): number {
  const at = `${field}.pin_path`;
  const fd = openAnyPin(host, path, at);
  if (objectKind(fd) === "program") return fd;
  closeFd(fd);
  throw objectError("OBJECT_WRONG_KIND", at, `what is pinned at ${path} is no program`);
}

function openAnyPin(host: MapHost, path: string, field: string): number {
  try {
    return host.pins.openObject(path, field);
  } catch (error) {
    if (!(error instanceof MapError)) throw error;
    if (error.reason === "PIN_NOT_FOUND") {
      throw objectError("OBJECT_NOT_FOUND", field, `nothing is pinned at ${path}`, error);
    }
    if (error.reason === "NOT_A_MAP") {
      throw objectError("OBJECT_WRONG_KIND", field, `what is at ${path} is no pin`, error);
    }
    throw error;
  }
}
