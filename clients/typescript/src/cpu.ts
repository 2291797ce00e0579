import type { MessageInitShape } from "@bufbuild/protobuf";
import { invalidArgument } from "./errors.js";
import type { CpuFold, CpuTargetSchema, CpuViewSchema } from "./gen/bpfmap/v1/element_pb.js";

/**
 * Which slots of per-CPU values to read; all where neither is given. For per-CPU
 * maps only. Values are then value_size bytes.
 */
export interface CpuViewOptions {
  /** This CPU's slot only, by CPU number (Map.cpus). */
  cpu?: number;
  /** All slots folded into one. */
  fold?: CpuFold;
}

/**
 * Which slots of per-CPU values to write; whole values where neither is given. For
 * per-CPU maps only. Values are then value_size bytes.
 */
export interface CpuTargetOptions {
  /** This CPU's slot only, by CPU number (Map.cpus); see CpuTarget.cpu. */
  cpu?: number;
  /** Every CPU's slot gets the same value. */
  allCpus?: boolean;
}

/** The CpuView of a request. Throws INVALID_ARGUMENT where both ways are given. */
export function cpuView(
  options: CpuViewOptions | undefined,
): MessageInitShape<typeof CpuViewSchema> | undefined {
  const { cpu, fold } = options ?? {};
  if (cpu !== undefined && fold !== undefined) {
    throw invalidArgument("cpu and fold exclude each other", "cpu_view");
  }
  if (cpu !== undefined) return { view: { case: "cpu", value: cpu } };
  if (fold !== undefined) return { view: { case: "fold", value: fold } };
  return undefined;
}

/** The CpuTarget of a request. Throws INVALID_ARGUMENT where both ways are given. */
export function cpuTarget(
  options: CpuTargetOptions | undefined,
): MessageInitShape<typeof CpuTargetSchema> | undefined {
  const { cpu, allCpus = false } = options ?? {};
  if (cpu !== undefined && allCpus) {
    throw invalidArgument("cpu and allCpus exclude each other", "cpu_target");
  }
  if (cpu !== undefined) return { target: { case: "cpu", value: cpu } };
  if (allCpus) return { target: { case: "allCpus", value: true } };
  return undefined;
}
