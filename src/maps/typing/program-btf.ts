import { closeFd, programInfo } from "../../kernel/index.js";
import type { MapHost } from "../map-host.js";
import type { ProgramRef } from "../object-ref.js";
import { openProgram } from "../objects/open-program.js";

/** Id of a program's BTF, 0 where it has none. @param field path of the reference */
export function programBtfId(host: MapHost, ref: ProgramRef, field: string): number {
  const fd = openProgram(host, ref, field);
  try {
    return programInfo(fd).btfId;
  } finally {
    closeFd(fd);
  }
}
