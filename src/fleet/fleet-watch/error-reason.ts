import { ErrorInfoSchema, StatusSchema } from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { HostCallError } from "../host-call.js";

/** The reason that an error of a host's call tells, such as "MAP_NOT_FOUND"; empty for none. */
export function reasonOf({ status, cause }: HostCallError): string {
  if (!status) return cause?.reason ?? "";
  try {
    for (const detail of fromBinary(StatusSchema, status).details) {
      const info = anyUnpack(detail, ErrorInfoSchema);
      if (info) return info.reason;
    }
  } catch {
    // What a host sends need not be a status.
  }
  return "";
}
