import { z } from "zod";
import { StoreError } from "../store-error.js";
import type { Step, Version } from "./version.js";

/**
 * What is where in the database. Keys are text:
 *
 *     format                  the number of this layout
 *     state                   the revision and the compact revision
 *     lease/<id>              a lease's time to live
 *     step/<revision>         the writes of a revision, without their values
 *     value/<revision>/<place> the value of one of them
 *
 * Numbers in keys are hexadecimal of a fixed length, so that their order is that of the keys.
 */
export const FORMAT_KEY = "format";
export const FORMAT = "1";
export const STATE_KEY = "state";
/** All steps, in the order of their revisions. */
export const STEPS = { gte: "step/", lt: "step0" };
/** All leases. */
export const LEASES = { gte: "lease/", lt: "lease0" };

/** A change of the database: a value for its key, or null for a key to remove. */
export type DiskWrite = readonly [key: string, value: Uint8Array | null];

const revisionText = z.string().regex(/^\d+$/).transform(BigInt);
const stateForm = z.object({ revision: revisionText, compactRevision: revisionText });
const leaseForm = z.object({ seconds: z.number() });
const stepForm = z.array(
  z.union([
    z.tuple([z.string(), z.number()]),
    z.tuple([z.string(), z.number(), revisionText, revisionText, revisionText]),
  ]),
);

/** Where the revisions stand. */
export type State = z.infer<typeof stateForm>;

export function stepKey(revision: bigint): string {
  return `step/${hex(revision)}`;
}

export function valueKey({ revision, place }: Pick<Version, "revision" | "place">): string {
  return `value/${hex(revision)}/${place.toString(16).padStart(4, "0")}`;
}

/** The keys of all values up to a revision. */
export function valuesUpTo(revision: bigint): { from: string; to: string } {
  return { from: "value/", to: `value/${hex(revision)}/~` };
}

export function leaseKey(id: bigint): string {
  return `lease/${hex(id)}`;
}

/** The id in a lease's key. */
export function leaseOf(key: string): bigint {
  return BigInt(`0x${key.slice("lease/".length)}`);
}

export function writeState(revision: bigint, compactRevision: bigint): DiskWrite {
  return [STATE_KEY, json({ revision: `${revision}`, compactRevision: `${compactRevision}` })];
}

export function writeLease(id: bigint, seconds: number): DiskWrite {
  return [leaseKey(id), json({ seconds })];
}

/** A step without writes is removed. */
export function writeStep({ revision, versions }: Step): DiskWrite {
  if (versions.length === 0) return [stepKey(revision), null];
  const rows = versions.map(({ key, place, deleted, createRevision, version, lease }) =>
    deleted ? [key, place] : [key, place, `${createRevision}`, `${version}`, `${lease}`],
  );
  return [stepKey(revision), json(rows)];
}

export function readState(bytes: Uint8Array): State {
  return read("state", stateForm, bytes);
}

export function readLease(key: string, bytes: Uint8Array): { id: bigint; seconds: number } {
  return { id: leaseOf(key), ...read(key, leaseForm, bytes) };
}

export function readStep(key: string, bytes: Uint8Array): Step {
  const revision = BigInt(`0x${key.slice("step/".length)}`);
  const versions = read(key, stepForm, bytes).map(([name, place, ...rest]): Version => {
    const [createRevision = 0n, version = 0n, lease = 0n] = rest;
    const deleted = rest.length === 0;
    return { key: name, revision, place, deleted, createRevision, version, lease };
  });
  return { revision, versions };
}

function read<T>(key: string, form: z.ZodType<T>, bytes: Uint8Array): T {
  try {
    return form.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw new StoreError("DAMAGED", `the store's ${key} on the disk cannot be read`, { cause });
  }
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

function hex(number: bigint): string {
  return number.toString(16).padStart(16, "0");
}
