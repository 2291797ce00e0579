import {
  RolloutError,
  type RolloutErrorCode,
  SetError,
  type SetErrorCode,
  StoreError,
  storeUnavailable,
} from "../../fleet/index.js";
import { MapError, type MapErrorReason } from "../../maps/index.js";

const SET_REASONS: Readonly<Record<SetErrorCode, MapErrorReason>> = {
  INVALID_ARGUMENT: "FIELD_INVALID",
  NOT_FOUND: "MAP_SET_NOT_FOUND",
  GENERATION_CONFLICT: "GENERATION_CONFLICT",
  CONTENDED: "MAP_SET_CONTENDED",
  TOO_LARGE: "LIMIT_EXCEEDED",
  GONE: "MAP_SET_CHANGED",
  DAMAGED: "INTERNAL",
};

const ROLLOUT_REASONS: Readonly<Record<RolloutErrorCode, MapErrorReason>> = {
  INVALID_ARGUMENT: "FIELD_INVALID",
  NOT_FOUND: "ROLLOUT_NOT_FOUND",
  ROLLOUT_RUNNING: "ROLLOUT_RUNNING",
  NOT_POSSIBLE: "ROLLOUT_NOT_POSSIBLE",
  CONTENDED: "MAP_SET_CONTENDED",
  DAMAGED: "INTERNAL",
};

/** Errors of sets, rollouts and the store, in the contract's words. */
function toMapError(error: unknown): unknown {
  if (error instanceof StoreError) {
    return error.code === "CANCELLED" ? (error.cause ?? error) : storeUnavailable(error);
  }
  if (error instanceof RolloutError) {
    const { code, field } = error;
    return withField(ROLLOUT_REASONS[code], error, field && `rollout.${field}`);
  }
  if (!(error instanceof SetError)) return error;
  const { code, field, generation } = error;
  const metadata = generation === undefined ? undefined : { generation: String(generation) };
  return withField(SET_REASONS[code], error, field, metadata);
}

function withField(
  reason: MapErrorReason,
  error: SetError | RolloutError,
  field: string | undefined,
  metadata?: Record<string, string>,
): MapError {
  const description = error.message.replace(`${error.field}: `, "");
  return new MapError(reason, error.message, {
    cause: error,
    ...(field !== undefined && { violations: [{ field, description }] }),
    ...(metadata && { metadata }),
  });
}

/** Does something, with errors of sets, rollouts and the store in the contract's words. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toMapError(error);
  }
}

/** The same, for what comes as a stream. */
export async function* explainedStream<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void> {
  try {
    yield* stream;
  } catch (error) {
    throw toMapError(error);
  }
}
