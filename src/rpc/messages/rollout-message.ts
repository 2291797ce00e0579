import {
  AggregateElementsRequestSchema,
  CounterGate_Of,
  type CounterGateSchema,
  Liveness,
  type RolloutPlan as PlanMessage,
  RolloutGate,
  type RolloutHostSchema,
  RolloutPhase,
  RolloutPlan_OnFailure,
  type RolloutPlanSchema,
  type RolloutSchema,
  RolloutStanding,
  RolloutWait,
} from "@bpfmapd/client/proto";
import { fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CounterGate,
  completePlan,
  type GateFailure,
  type GateName,
  type Json,
  type Phase,
  type PlacedHost,
  type RolloutNow,
  type RolloutPlan,
  type Standing,
  type Wait,
  type Wave,
} from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";

const PHASES: Readonly<Record<Phase, RolloutPhase>> = {
  applying: RolloutPhase.APPLYING,
  baking: RolloutPhase.BAKING,
  rollingBack: RolloutPhase.ROLLING_BACK,
  completed: RolloutPhase.COMPLETED,
  rolledBack: RolloutPhase.ROLLED_BACK,
  aborted: RolloutPhase.ABORTED,
};
const WAITS: Readonly<Record<Wait, RolloutWait>> = {
  paused: RolloutWait.PAUSED,
  noHostMatches: RolloutWait.NO_HOST_MATCHES,
  noHostReachable: RolloutWait.NO_HOST_REACHABLE,
  applying: RolloutWait.APPLYING,
  unreachable: RolloutWait.UNREACHABLE,
  noHostDone: RolloutWait.NO_HOST_DONE,
  counterUnknown: RolloutWait.COUNTER_UNKNOWN,
  baking: RolloutWait.BAKING,
  rollingBack: RolloutWait.ROLLING_BACK,
};
const GATES: Readonly<Record<GateName, RolloutGate>> = {
  failures: RolloutGate.FAILURES,
  unreachable: RolloutGate.UNREACHABLE,
  drift: RolloutGate.DRIFT,
  counter: RolloutGate.COUNTER,
  progress: RolloutGate.PROGRESS,
};
const STANDINGS: Readonly<Record<Standing, RolloutStanding>> = {
  waiting: RolloutStanding.WAITING,
  pending: RolloutStanding.PENDING,
  done: RolloutStanding.DONE,
  failed: RolloutStanding.FAILED,
  unreachable: RolloutStanding.UNREACHABLE,
};

/** The plan that a request has, with what it leaves out as usual. Throws RolloutError. */
export function toRolloutPlan(plan: PlanMessage): RolloutPlan {
  const { waves, bakeTime, progressTimeout, counters, onFailure } = plan;
  return completePlan({
    ...(waves.length > 0 && { waves: waves.map(toWave) }),
    ...(bakeTime && { bakeMs: milliseconds(bakeTime) }),
    ...(plan.maxInProgress > 0 && { maxInProgress: plan.maxInProgress }),
    ...(progressTimeout && { progressMs: milliseconds(progressTimeout) }),
    ...{ maxFailures: plan.maxFailures, maxUnreachable: plan.maxUnreachable },
    ...(plan.maxDrifted !== undefined && { maxDrifted: plan.maxDrifted }),
    counters: counters.map(toCounterGate),
    onFailure: onFailure === RolloutPlan_OnFailure.ROLL_BACK ? "rollBack" : "pause",
  });
}

function toWave({ size, bakeTime }: PlanMessage["waves"][number]): Wave {
  const bake = bakeTime && { bakeMs: milliseconds(bakeTime) };
  // The rules of the contract have let no other in.
  return size.case === "hosts"
    ? { hosts: size.value, ...bake }
    : { percent: size.value ?? 100, ...bake };
}

function toCounterGate(gate: PlanMessage["counters"][number], index: number): CounterGate {
  const { name, elements, of, above, below } = gate;
  if (elements?.fields.length !== 1 || elements.top !== undefined) {
    const field = `rollout.counters[${index}].elements`;
    throw fieldError("FIELD_INVALID", field, "needs one field, and no top: its sum counts");
  }
  return {
    name,
    query: toJson(AggregateElementsRequestSchema, elements) as Json,
    of: of === CounterGate_Of.INCREASE ? "increase" : "value",
    ...(above !== undefined && { above }),
    ...(below !== undefined && { below }),
  };
}

function milliseconds(duration: Parameters<typeof durationMs>[0]): number {
  return Math.ceil(durationMs(duration));
}

/** A rollout and how it is doing, as the contract has it. */
export function rolloutMessage({
  state,
  assessment,
}: RolloutNow): MessageInitShape<typeof RolloutSchema> {
  const { id, set, from, to, plan, phase, wave, size, hold, failure, history } = state;
  const { waitsFor } = assessment ?? {};
  return {
    ...{ id, mapSet: set, generation: BigInt(to), fromGeneration: BigInt(from) },
    plan: planMessage(plan),
    ...{ phase: PHASES[phase], wave: wave + 1, paused: hold !== undefined },
    ...(size !== undefined && size > 0 && { waveHosts: BigInt(size) }),
    baked: durationFromMs(state.bakedMs),
    ...(failure && { failure: failureMessage(failure) }),
    ...(waitsFor && { waitsFor: WAITS[waitsFor.reason], waitsMessage: waitsFor.message }),
    ...(assessment && { hosts: countsOf(assessment) }),
    history: history.map(({ at, ...step }) => ({ ...step, at: timestampFromMs(at) })),
  };
}

/** A host of a rollout. */
export function rolloutHostMessage({
  host,
  standing,
}: PlacedHost): MessageInitShape<typeof RolloutHostSchema> {
  return {
    ...{ hostId: host.id, standing: STANDINGS[standing] },
    appliedGeneration: BigInt(host.applied),
    errorMessage: standing === "failed" ? (host.error?.message ?? "") : "",
    liveness: host.isReachable ? Liveness.CONNECTED : Liveness.LOST,
  };
}

function countsOf({
  matched,
  waiting,
  pending,
  done,
  failed,
  unreachable,
}: NonNullable<RolloutNow["assessment"]>) {
  return { matched, waiting, pending, done, failed, unreachable };
}

function failureMessage({ gate, message, hosts }: GateFailure) {
  return { gate: GATES[gate], message, hostIds: hosts };
}

function planMessage(plan: RolloutPlan): MessageInitShape<typeof RolloutPlanSchema> {
  const { waves, bakeMs, progressMs, maxFailures, maxUnreachable, maxDrifted } = plan;
  return {
    waves: waves.map((wave) => ({
      size:
        "hosts" in wave
          ? { case: "hosts", value: wave.hosts }
          : { case: "percent", value: wave.percent },
      ...(wave.bakeMs !== undefined && { bakeTime: durationFromMs(wave.bakeMs) }),
    })),
    ...{ bakeTime: durationFromMs(bakeMs), progressTimeout: durationFromMs(progressMs) },
    ...{ maxInProgress: plan.maxInProgress ?? 0, maxFailures, maxUnreachable },
    ...(maxDrifted !== undefined && { maxDrifted }),
    counters: plan.counters.map(counterGateMessage),
    onFailure:
      plan.onFailure === "rollBack" ? RolloutPlan_OnFailure.ROLL_BACK : RolloutPlan_OnFailure.PAUSE,
  };
}

function counterGateMessage({
  name,
  query,
  of,
  above,
  below,
}: CounterGate): MessageInitShape<typeof CounterGateSchema> {
  return {
    name,
    elements: fromJson(AggregateElementsRequestSchema, query, { ignoreUnknownFields: true }),
    of: of === "increase" ? CounterGate_Of.INCREASE : CounterGate_Of.VALUE,
    ...(above !== undefined && { above }),
    ...(below !== undefined && { below }),
  };
}
