import { BpfmapError } from "@bpfmapd/client";
import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { FaultStage, type Picture } from "./support/fault-stage.js";
import { type Injected, withFault } from "./support/inject.js";
import { OPERATIONS, type Operation } from "./support/operations.js";

/** What the kernel can answer at any time, and the reasons that tell of it. */
const REASONS = {
  ENOMEM: ["KERNEL_MEMORY"],
  EPERM: ["KERNEL_DENIED"],
  EINTR: ["MAP_CONTENDED"],
  EBUSY: ["MAP_CONTENDED"],
  ENOSPC: ["MAP_FULL", "KERNEL_ERROR"],
} as const;

type FaultErrno = keyof typeof REASONS;

/** No operation here makes more calls than this in one thread. */
const MOST_CALLS = 100;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  // The threads are there, so that they are traced from their first call on.
  const stage = await FaultStage.set(daemon);
  for (const { act } of OPERATIONS) await act(stage).catch(() => {});
  await stage.clear();
  return () => daemon.dispose();
});

describe.each(Object.keys(REASONS) as FaultErrno[])("where bpf(2) answers %s", (errno) => {
  it.each(OPERATIONS.map((one) => [one.name, one] as const))(
    "%s loses nothing, whichever call it is",
    async (_, operation) => {
      let at = 1;
      while (await isReached(operation, errno, `${at}`)) at += 1;
      // Each operation has some calls, and the test tried them all.
      expect(at).toBeGreaterThan(1);
      expect(at).toBeLessThan(MOST_CALLS);
      await isReached(operation, errno, "1+");
    },
    300_000,
  );
});

/** Does an operation under a fault and judges it; whether it came to the call that fails. */
async function isReached(operation: Operation, errno: FaultErrno, when: string): Promise<boolean> {
  const stage = await FaultStage.set(daemon);
  try {
    const before = await stage.picture();
    const logged = daemon.logs.length;
    const fault = { syscall: "bpf", what: `error=${errno}`, when } as const;
    const injected = await withFault(daemon.pid, fault, () => operation.act(stage));
    const context = `call ${when}: ${injected.hits[0] ?? "none"}`;
    expectTold(injected, errno, context);
    const after = await stage.picture();
    judge(operation, { stage, before, after, failed: isFailure(injected) }, context);
    expect(daemon.logs.slice(logged), context).toEqual([]);
    return injected.hits.length > 0;
  } finally {
    await stage.clear();
  }
}

const isFailure = ({ outcome }: Injected<unknown>) => outcome.status === "rejected";

function expectTold({ outcome, hits }: Injected<unknown>, errno: FaultErrno, context: string) {
  if (outcome.status === "fulfilled") return;
  expect(hits, context).not.toEqual([]);
  expect(outcome.reason, context).toBeInstanceOf(BpfmapError);
  const { reason, message } = outcome.reason as BpfmapError;
  expect(REASONS[errno], `${context}: ${message}`).toContain(reason);
}

interface Course {
  readonly stage: FaultStage;
  readonly before: Picture;
  readonly after: Picture;
  readonly failed: boolean;
}

/** What succeeded is done; what failed has changed nothing, or some elements and nothing else. */
function judge(operation: Operation, { stage, before, after, failed }: Course, context: string) {
  const done = operation.change?.(before, stage) ?? before;
  if (!failed) {
    expect(after, context).toEqual(done);
  } else if (!operation.inParts) {
    expect(after, context).toEqual(before);
  } else {
    expect({ ...after, elements: {} }, context).toEqual({ ...before, elements: {} });
    const keys = new Set([before, done, after].flatMap(({ elements }) => Object.keys(elements)));
    for (const key of keys) {
      const either = [before.elements[key], done.elements[key]];
      expect(either, `${context}: element ${key}`).toContain(after.elements[key]);
    }
  }
}
