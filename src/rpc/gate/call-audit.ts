import { ControlRolloutRequest_Control as Control } from "@bpfmapd/client/proto";
import type { Message } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type AuditLog, auditedKeys, type CallRecord, type KeyForm } from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import { CallEnded } from "../adapter/server-call.js";
import { statusOfReason } from "../status.js";

/** What is known of a call when it begins. */
export interface AuditedCall {
  readonly record: CallRecord;
  readonly changes: boolean;
  readonly isStream: boolean;
  readonly facts: object;
}

/** Fields by which requests name what they change, beside a map that is resolved. */
const NAMES = ["path", "pinPath", "name", "names", "hold"] as const;
/** Fields in which answers count what was done. */
const COUNTS = ["applied", "removed", "written", "received", "created"] as const;

type Fields = Readonly<Record<string, unknown>>;

/** One call's lines in the audit: one at its end; of a stream another when it begins. */
export class CallAudit {
  readonly #log: AuditLog;
  readonly #keys: KeyForm;
  readonly #call: AuditedCall;
  #request: object = {};
  #isBegun = false;
  #isEnded = false;

  constructor(log: AuditLog, keys: KeyForm, call: AuditedCall) {
    this.#log = log;
    this.#keys = keys;
    this.#call = call;
  }

  /** The call's first message; of a stream that changes, settles when its beginning is written. */
  async requested(request: Message): Promise<void> {
    if (this.#isBegun || !this.#call.changes) return;
    this.#isBegun = true;
    this.#request = this.#describe(request);
    if (this.#call.isStream) {
      await this.#log.add({ ...this.#call.facts, event: "begin", ...this.#request });
    }
  }

  /** The call is done, or has failed; settles when that is written. */
  async ended(result: { readonly answer: unknown } | { readonly error: unknown }): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const outcome = "error" in result ? failureFacts(result.error) : answerFacts(result.answer);
    if (!this.#call.changes && outcome.outcome !== "denied") return;
    const { facts, isStream, record } = this.#call;
    await this.#log.add({
      ...{ ...facts, event: isStream ? "end" : "call", maps: mapsOf(record), ...this.#request },
      ...(record.streamed > 0 && { streamed: record.streamed }),
      ...outcome,
    });
  }

  #describe(request: Message): object {
    const message = startOf(request as unknown as Fields);
    const named = NAMES.filter((field) => isNaming(message[field]));
    const elements = (message.elements ?? message.initialElements ?? message) as Fields;
    return {
      ...Object.fromEntries(named.map((field) => [field, nameOf(message[field])])),
      ...this.#keysOf(elements),
      ...(message.strategy !== undefined && {
        strategy: message.strategy,
        dry_run: message.dryRun,
      }),
      ...(message.rollout !== undefined && { rollout: true }),
      ...(message.control !== undefined && { control: Control[Number(message.control)] }),
    };
  }

  #keysOf({ keys, jsonKeys, objectKeys, count }: Fields): object {
    if (keys instanceof Uint8Array && keys.length > 0) {
      return auditedKeys(keys, Number(count), this.#keys);
    }
    const others = [jsonKeys, objectKeys].find((list) => Array.isArray(list) && list.length > 0);
    if (!others) return {};
    const tells = this.#keys === "hex" && others === jsonKeys;
    return { key_count: count, ...(tells && { json_keys: jsonKeys }) };
  }
}

/** The start of a stream's first message, which says what the stream is about. */
function startOf(message: Fields): Fields {
  const { kind } = message as { kind?: { case?: string; value?: unknown } };
  return kind?.case === "start" ? (kind.value as Fields) : message;
}

function isNaming(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== "";
}

function nameOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "name" in value ? value.name : value;
}

function mapsOf({ admitted }: CallRecord): object[] {
  const byId = new Map(admitted.map(({ id, name }) => [id, { id, name }]));
  return [...byId.values()];
}

function answerFacts(answer: unknown): { readonly outcome: string } {
  const fields = (answer ?? {}) as Fields & {
    map?: { id?: number; name?: string };
    elements?: { count?: number };
    failures?: readonly { index?: number }[];
  };
  const counts = COUNTS.filter((field) => fields[field] !== undefined);
  const { map, elements, failures = [] } = fields;
  return {
    outcome: "OK",
    ...Object.fromEntries(counts.map((field) => [field, plain(fields[field])])),
    ...(map?.id !== undefined && { map: { id: map.id, name: map.name } }),
    ...(elements?.count !== undefined && { elements: elements.count }),
    ...(failures.length > 0 && { failed: failures.map(({ index }) => index ?? 0) }),
  };
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** What an error says was done before it stands in its metadata. */
function failureFacts(error: unknown): { readonly outcome: string } {
  if (error instanceof CallEnded) return { outcome: "CANCELLED" };
  if (!(error instanceof MapError)) return { outcome: "INTERNAL" };
  const { reason, message, metadata } = error;
  const isDenied = reason === "ACCESS_DENIED" || reason === "UNAUTHENTICATED";
  const told = ["verb", "applied", "written", "index"].filter((key) => metadata[key] !== undefined);
  return {
    outcome: isDenied ? "denied" : (status[statusOfReason[reason]] ?? "UNKNOWN"),
    ...{ reason, message },
    ...Object.fromEntries(told.map((key) => [key, metadata[key]])),
  };
}
