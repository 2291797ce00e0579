import { create } from "@bufbuild/protobuf";
import { invalidArgument } from "./errors.js";
import { type MapRef, MapRefSchema } from "./gen/bpfmap/v1/map_pb.js";

/** Guards a reference against a reboot. */
interface BootGuard {
  /**
   * Id of the boot that the reference was learnt in (Map.boot_id, Host.boot_id).
   * Calls fail with FAILED_PRECONDITION BOOT_ID_MISMATCH once the host has booted
   * again.
   */
  bootId?: string;
}

/** Names one map of the host, in one of four ways; see MapRef. */
export type MapRefInit = BootGuard &
  (
    | {
        /** The kernel's map id. Valid only within a boot: give bootId with ids that were kept. */
        id: number;
      }
    | {
        /** Absolute path of a pin, inside one of Host.bpffs_roots. */
        pinPath: string;
      }
    | {
        /** The map's name, at most 15 bytes. Names that several maps share are refused. */
        name: string;
      }
    | {
        /** Name of a hold of the daemon. */
        held: string;
      }
  );

const KINDS = ["id", "pinPath", "name", "held"] as const;

/**
 * The MapRef message of a reference, for requests of `client.maps`. Throws
 * BpfmapError INVALID_ARGUMENT unless exactly one of the four ways is given.
 */
export function mapRef(init: MapRefInit): MapRef {
  const ways: Partial<Record<(typeof KINDS)[number], number | string>> = init;
  const given = KINDS.filter((kind) => ways[kind] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw invalidArgument(
      `a map is named by exactly one of ${KINDS.join(", ")}; given: ${given.join(", ") || "none"}`,
      "map",
    );
  }
  return create(MapRefSchema, {
    ref: { case: kind, value: ways[kind] } as MapRef["ref"],
    bootId: init.bootId,
  });
}
