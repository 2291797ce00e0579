import { parseU32 } from "./grammar/number.js";

/** Parses the value of --cpu. */
export function parseCpu(text: string): number {
  return parseU32(text, "--cpu");
}
