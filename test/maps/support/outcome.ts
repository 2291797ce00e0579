import { expect } from "vitest";
import { MapError, type MapErrorReason } from "#dist/maps/index.js";
import type { Expected } from "./map-model.js";

/** The MapError that a call fails with. */
export async function failure(call: Promise<unknown>): Promise<MapError> {
  const outcome = await call.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
  if (!(outcome instanceof MapError)) {
    expect.fail(`not a MapError: ${outcome instanceof Error ? outcome.stack : String(outcome)}`);
  }
  return outcome;
}

/** Checks that a call fails with a reason, and for a field where one is given. */
export async function expectFailure(
  call: Promise<unknown>,
  reason: MapErrorReason,
  field?: string,
): Promise<MapError> {
  const error = await failure(call);
  expect(error).toMatchObject({ reason });
  if (field !== undefined) expect(error.violations.map((one) => one.field)).toContain(field);
  return error;
}

/** Checks a call on several elements against what a model says; its answer, if it has one. */
export async function expectOutcome<T extends { failures: unknown[] }>(
  call: Promise<T>,
  expected: Expected,
): Promise<T | undefined> {
  if (expected.ended) {
    const { reason, index, applied } = expected.ended;
    const error = await expectFailure(call, reason);
    expect(error.metadata).toMatchObject({ index: `${index}`, applied: `${applied}` });
    return undefined;
  }
  const answer = await call;
  expect(answer.failures).toEqual(expected.failures);
  if ("applied" in answer) expect(answer.applied).toBe(expected.applied);
  return answer;
}

/** Waits until a value is as expected; only a hang fails by time. */
export function eventually<T>(read: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read, { timeout: 30_000 });
}
