import { type MapHost, readMemory, writeMemory } from "../../maps/index.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** ReadMemory and WriteMemory. */
export function memoryHandlers(
  host: MapHost,
): Pick<MapServiceHandlers, "readMemory" | "writeMemory"> {
  return {
    async readMemory({ map, offset, length }, { access }) {
      return {
        data: await readMemory(host, { map: toMapRef(map, access?.mapping), offset, length }),
      };
    },

    async writeMemory({ map, offset, data }, { access }) {
      await writeMemory(host, { map: toMapRef(map, access), offset, data });
      return {};
    },
  };
}
