import { interfaceIndex, interfaceName } from "../../kernel/index.js";
import type { InterfaceRef } from "../object-ref.js";
import { objectError } from "./object-error.js";

/** The index of the interface that a reference names, in the daemon's network namespace. */
export function findInterface(ref: InterfaceRef, field: string): number {
  if (ref.by === "name") {
    const index = interfaceIndex(ref.name);
    if (index !== undefined) return index;
    throw objectError(
      "OBJECT_NOT_FOUND",
      `${field}.name`,
      `there is no interface ${JSON.stringify(ref.name)} in the daemon's network namespace`,
    );
  }
  if (interfaceName(ref.index) !== undefined) return ref.index;
  throw objectError(
    "OBJECT_NOT_FOUND",
    `${field}.index`,
    `there is no interface ${ref.index} in the daemon's network namespace`,
  );
}

/** How to name an interface: by its name, or its index where it is gone. */
export function nameInterface(index: number): InterfaceRef {
  const name = interfaceName(index);
  return name === undefined ? { by: "index", index } : { by: "name", name };
}
