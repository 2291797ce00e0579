import { type BpfmapClient, BpfmapError } from "@bpfmapd/client";
import { RetryInfoSchema, StatusSchema } from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { expect, onTestFinished } from "vitest";
import type { LimitName } from "#dist/access/index.js";
import { type GuardedDaemon, guardedDaemon, type TestRule } from "./guarded-daemon.js";

/** Limits as a policy file has them. */
export type GivenLimits = Partial<Record<LimitName, number | string>>;

/** The callers of these tests, who may do everything; "admin" may, too, without limits. */
const rules: TestRule[] = ["one", "two"].map((who) => ({ who, verbs: "all", maps: "all" }));

/** A daemon whose callers "one" and "two" have limits. */
export interface LimitedDaemon extends GuardedDaemon {
  readonly one: BpfmapClient;
  readonly two: BpfmapClient;
  /** Puts other limits in force; the daemon takes them within a second. */
  setLimits(limits: Record<string, GivenLimits>): void;
}

/** Starts one that goes with the test. */
export async function limitedDaemon(limits: Record<string, GivenLimits>): Promise<LimitedDaemon> {
  const guarded = await guardedDaemon(rules, { policy: { limits } });
  onTestFinished(() => guarded.dispose());
  return {
    ...guarded,
    one: await guarded.as("one"),
    two: await guarded.as("two"),
    setLimits: (next) => guarded.setRules(rules, { limits: next }),
  };
}

/** What a call fails with that goes past a limit of its caller. */
export function exceeded(limit: LimitName, value: number, caller = "token of one"): unknown {
  return expect.objectContaining({
    code: status.RESOURCE_EXHAUSTED,
    reason: "CALLER_LIMIT_EXCEEDED",
    metadata: expect.objectContaining({ limit, value: String(value), caller }),
    message: expect.stringContaining(`${caller} has reached its limit of ${value} `),
  });
}

/** What a call fails with, or undefined where it does not. */
export function failureOf(call: Promise<unknown>): Promise<BpfmapError | undefined> {
  return call.then(() => undefined, BpfmapError.from);
}

/** When the daemon says that it is worth to try again, in milliseconds. */
export function retryDelayMs(error: BpfmapError | undefined): number | undefined {
  const [bytes] = (error as { cause: ServiceError }).cause.metadata.get("grpc-status-details-bin");
  for (const detail of fromBinary(StatusSchema, bytes as Buffer).details) {
    const delay = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
    if (delay) return durationMs(delay);
  }
  return undefined;
}
