import type { DescMessage, DescService, Message } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { type FieldViolation, MapError } from "../maps/index.js";
import { isPlain } from "./plain-requests.js";

const validator = createValidator();

/** Throws INVALID_ARGUMENT FIELD_INVALID, with each field at fault, for a message that breaks its rules. */
export function validate(schema: DescMessage, message: Message): void {
  if (isPlain(schema, message)) return;
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  // The rules themselves are at fault, which is nothing that the client can change.
  if (result.kind === "error") throw result.error;
  const violations = result.violations.map(toFieldViolation);
  throw new MapError("FIELD_INVALID", violations.map(describe).join("; "), { violations });
}

/**
 * Compiles the rules of all requests of services, which takes the first call of each method
 * a while otherwise: one method in each turn of the event loop, so that nobody waits for
 * it, neither callers nor who started the daemon.
 */
export function warmValidation(services: readonly DescService[]): void {
  const methods = services.flatMap((service) => service.methods);
  const warmNext = () => {
    const method = methods.pop();
    if (method === undefined) return;
    validator.validate(method.input, create(method.input));
    setImmediate(warmNext).unref();
  };
  setImmediate(warmNext).unref();
}

function toFieldViolation(violation: Violation): FieldViolation {
  return { field: pathToString(violation.field), description: violation.message };
}

function describe({ field, description }: FieldViolation): string {
  return field === "" ? description : `${field}: ${description}`;
}
