import { type Errno, mapFdinfo, mapInfo } from "../kernel/index.js";
import { explain, type MapError } from "../maps/index.js";

/** The error for what the kernel answered where a map was to be read or written. */
export function explainErrno(errno: Errno, fd: number, label: string, operation: string): MapError {
  const isFrozen = () => mapFdinfo(fd).frozen ?? false;
  return explain(errno, { map: label, type: mapInfo(fd).type, operation, isFrozen });
}
