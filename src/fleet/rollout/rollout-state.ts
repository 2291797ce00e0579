import { z } from "zod";
import { RolloutError } from "./rollout-error.js";
import { planSchema } from "./rollout-plan.js";
import { TICKET_LENGTH } from "./ticket.js";

const count = z.int().nonnegative();

/**
 * Where a rollout is:
 * - applying: hosts of the wave are told of the generation, and not all are done yet;
 * - baking: all of the wave are done, and are looked at for a while;
 * - rollingBack: every host is told to go back;
 * - completed, rolledBack, aborted: it has ended, with every host on the new generation, every
 *   host on the old one, or each on what it was told to be.
 */
export const PHASES = [
  "applying",
  "baking",
  "rollingBack",
  "completed",
  "rolledBack",
  "aborted",
] as const;
export type Phase = (typeof PHASES)[number];

/** What can stop a rollout by itself. */
export const GATES = ["failures", "unreachable", "drift", "counter", "progress"] as const;
export type GateName = (typeof GATES)[number];

const failure = z.object({
  gate: z.enum(GATES),
  /** For a person. */
  message: z.string(),
  /** Ids of hosts that made it fail, some of them. */
  hosts: z.array(z.string()),
});

const step = z.object({
  what: z.enum([
    "began",
    "wave",
    "paused",
    "resumed",
    "gateFailed",
    "rollBack",
    "aborted",
    "completed",
    "rolledBack",
  ]),
  /** Milliseconds since 1970, by the clock of who wrote it. */
  at: z.number(),
  /** Who asked for it; empty for the rollout itself. */
  by: z.string(),
  /** For a person; may be empty. */
  message: z.string(),
});

const state = z.object({
  format: z.literal(1),
  /** Another one for each rollout. */
  id: z.string(),
  set: z.string(),
  /** The manifest's `id`. */
  setId: z.string(),
  /** The generation that the hosts have had; 0 for none. */
  from: count,
  to: z.int().positive(),
  plan: planSchema,
  phase: z.enum(PHASES),
  /** The wave that it is at, from 0. */
  wave: count,
  /** How many hosts may have the generation now; absent for all. */
  size: count.optional(),
  /** Tickets of the hosts that were told of the generation. */
  admitted: z.string().regex(new RegExp(`^([\\w-]{${TICKET_LENGTH}})*$`)),
  /** Whether every host that matched was told: then no tickets are kept. */
  toldAll: z.boolean(),
  /** How long the wave has been looked at with all of its hosts done. */
  bakedMs: count,
  /** How long it has gone on without a further host that is done. */
  waitedMs: count,
  /** Hosts that were done when `waitedMs` began. */
  done: count,
  /** What counters were when all hosts of the wave were done, by their gates' names. */
  baselines: z.record(z.string(), z.number()),
  /** There while it is paused. */
  hold: z.object({ by: z.string(), failure: failure.optional() }).optional(),
  /** The last gate that failed. */
  failure: failure.optional(),
  /** The last steps, the oldest first. */
  history: z.array(step),
});

/** A rollout as the store has it: all that there is to know, hosts' statuses aside. */
export type RolloutState = z.infer<typeof state>;
export type GateFailure = z.infer<typeof failure>;
/** Something that has happened to a rollout. */
export type RolloutStep = z.infer<typeof step>;

/** Steps that are kept. */
const KEPT_STEPS = 64;

/** The bytes of a state, as the store keeps it. */
export function encodeRollout(value: RolloutState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Reads a state; DAMAGED where it is none, or one of a newer version. */
export function decodeRollout(bytes: Uint8Array): RolloutState {
  try {
    return state.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new RolloutError(
      "DAMAGED",
      "the state of a rollout cannot be read: it is broken, or of a newer version",
      { cause },
    );
  }
}

/** Whether nothing moves it any more by itself. */
export function hasEnded({ phase }: Pick<RolloutState, "phase">): boolean {
  return phase === "completed" || phase === "rolledBack" || phase === "aborted";
}

/** Whether hosts are being brought to the new generation, held or not. */
export function isForward({ phase }: Pick<RolloutState, "phase">): boolean {
  return phase === "applying" || phase === "baking";
}

/** The history with one step more. */
export function noted(
  { history }: RolloutState,
  what: RolloutStep["what"],
  { at, by = "", message = "" }: { at: number; by?: string; message?: string },
): Pick<RolloutState, "history"> {
  return { history: [...history, { what, at, by, message }].slice(-KEPT_STEPS) };
}

/** The tickets of the hosts that were told. */
export function admittedTickets({ admitted }: Pick<RolloutState, "admitted">): Set<string> {
  const tickets = new Set<string>();
  for (let at = 0; at < admitted.length; at += TICKET_LENGTH) {
    tickets.add(admitted.slice(at, at + TICKET_LENGTH));
  }
  return tickets;
}
