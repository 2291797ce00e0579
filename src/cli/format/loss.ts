import type { LostEvent } from "@bpfmapd/client";
import { LossReason } from "@bpfmapd/client/proto";

/** Why records are lost, for JSON: the contract's name in small letters. */
export function lossName({ reason }: LostEvent): string {
  return (LossReason[reason] ?? String(reason)).toLowerCase();
}

/** The same for people; nothing where the kernel's ring was full, of which bpftool tells. */
export function lossText({ reason }: LostEvent): string {
  switch (reason) {
    case LossReason.RING_FULL:
      return "";
    case LossReason.SLOW_READER:
      return " (this was read too slowly)";
    case LossReason.TOO_LARGE:
      return " (larger than the daemon's limits.max_message_bytes)";
    default:
      return " (reason not known)";
  }
}
