import { type BesideManifest, besideRemoval } from "../rollout/index.js";
import {
  isAt,
  type Operation,
  put,
  remove,
  type Store,
  StoreError,
  type Transaction,
} from "../store/index.js";
import { decodeManifest, encodeManifest, type Manifest } from "./manifest.js";
import { SetError } from "./set-error.js";
import { setKeys } from "./set-keys.js";
import { readState, type SetState } from "./set-state.js";

/** Earlier generations whose contents can still be read, and be gone back to. */
export const KEPT_GENERATIONS = 8;
const TRIES = 5;
/** Bytes of a manifest: two of them have to fit a transaction. */
const MANIFEST_BYTES = 480 * 1024;

/**
 * Puts a manifest in the place of the one that was read, if nobody else has written, and no
 * segment been collected since. Answers whether it is in force. Where the store was cut off in
 * the middle, it finds out.
 */
export async function commit(
  store: Store,
  before: SetState,
  manifest: Manifest,
  signal?: AbortSignal,
  beside?: BesideManifest,
): Promise<boolean> {
  const { name, manifest: present, bytes } = before;
  const success: Operation[] = [put(setKeys.manifest(name), encoded(manifest))];
  if (present !== undefined && bytes !== undefined && present.generation !== manifest.generation) {
    success.push(put(setKeys.past(name, present.generation), bytes));
    const dropped = new Set([present.generation - KEPT_GENERATIONS, ...(beside?.dropped ?? [])]);
    for (const past of dropped) {
      const isNeeded = past > present.generation - KEPT_GENERATIONS || past === beside?.kept;
      if (past > 0 && !isNeeded) success.push(remove(setKeys.past(name, past)));
    }
  }
  success.push(...(beside?.success ?? []));
  const compare = [...unchanged(before), ...(beside?.compare ?? [])];
  return transactUntilKnown(store, { compare, success }, signal, () =>
    isInForce(store, manifest, signal),
  );
}

function encoded(manifest: Manifest): Uint8Array {
  const bytes = encodeManifest(manifest);
  if (bytes.length <= MANIFEST_BYTES) return bytes;
  throw new SetError(
    "TOO_LARGE",
    `map set "${manifest.name}" is described by ${bytes.length} bytes, the limit is ${MANIFEST_BYTES}: choose hosts by labels, and put it anew instead of such a large patch`,
  );
}

/** Removes a set that is as it was read; its segments are left to the collector. */
export async function commitRemoval(
  store: Store,
  before: SetState,
  signal?: AbortSignal,
): Promise<boolean> {
  const { name, manifest } = before;
  if (manifest === undefined) return false;
  const beside = besideRemoval(name, before.rollout);
  const pasts = new Set(beside.dropped);
  const oldest = Math.max(1, manifest.generation - KEPT_GENERATIONS);
  for (let past = oldest; past < manifest.generation; past++) pasts.add(past);
  const success = [
    remove(setKeys.manifest(name)),
    ...[...pasts].map((past) => remove(setKeys.past(name, past))),
    ...beside.success,
  ];
  const compare = [...unchanged(before), ...beside.compare];
  return transactUntilKnown(store, { compare, success }, signal, async () => {
    const { manifest: left } = await readState(store, name, signal);
    return left?.id !== manifest.id;
  });
}

function unchanged({ name, modRevision, collectedRevision }: SetState) {
  return [
    isAt(setKeys.manifest(name), modRevision),
    isAt(setKeys.collected(name), collectedRevision),
  ];
}

/**
 * Tries again what may have been applied: it compares with a revision, so it is applied once at
 * most, and once it is refused, the store tells whether it was it that was in the way.
 */
async function transactUntilKnown(
  store: Store,
  transaction: Transaction,
  signal: AbortSignal | undefined,
  isDone: () => Promise<boolean>,
): Promise<boolean> {
  let isUnknown = false;
  for (let tries = 1; ; tries++) {
    try {
      const { succeeded } = await store.transact(transaction, { signal });
      return succeeded || (isUnknown && (await isDone()));
    } catch (error) {
      const mayGoOn =
        error instanceof StoreError && error.maybeApplied && error.code !== "CANCELLED";
      if (!mayGoOn || tries === TRIES) throw error;
      isUnknown = true;
    }
  }
}

/** Whether a write is the present generation, or was one of those before. */
async function isInForce(
  store: Store,
  { name, write, generation }: Manifest,
  signal?: AbortSignal,
) {
  const { manifest } = await readState(store, name, signal);
  if (manifest?.write === write) return true;
  const { entry } = await store.get(setKeys.past(name, generation), { signal });
  return entry !== undefined && decodeManifest(entry.value).write === write;
}
