import type { Errno, MapCreation } from "../kernel/index.js";
import { tryCreate } from "./capability-probe-trial.js";
import { CreateFlag } from "./map-spec.js";

/** Flags with which the kernel reads an fd from an attribute that the daemon never sets. */
const FD_FLAGS: ReadonlySet<number> = new Set([
  CreateFlag.PATH_FD,
  CreateFlag.VTYPE_BTF_OBJ_FD,
  CreateFlag.TOKEN_FD,
]);

const TRIED = Object.values(CreateFlag).filter((flag) => !FD_FLAGS.has(flag));

/** Size of `struct bpf_stack_build_id`, which STACK_BUILD_ID makes of each frame. */
const BUILD_ID_FRAME = 32;

/**
 * An OR of the create flags that the kernel accepts for a type, each tried alone beside
 * those that the type needs.
 */
export function probeFlags(
  creation: MapCreation,
  isAccepted: (errno: Errno | undefined) => boolean,
): number {
  const required = creation.flags ?? 0;
  const accepted = TRIED.filter((flag) => {
    const flags = required | flag;
    const sizes = flag === CreateFlag.STACK_BUILD_ID ? { valueSize: BUILD_ID_FRAME } : {};
    return flags === required || isAccepted(tryCreate({ ...creation, ...sizes, flags }));
  });
  return accepted.reduce((flags, flag) => flags | flag, required);
}
