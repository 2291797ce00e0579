import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../daemon/support/run.js";

/** Rules that let everybody whose proof matches do everything. */
export function allowAll(proof: string): string {
  return `
version: 1
identities: {everybody: [${proof}]}
rules: [{identities: [everybody], verbs: all, maps: all}]
`;
}

/** A policy file in a directory; unless another is given, it is for all certificates. */
export function policyFile(
  text = allowAll('{san: ["**"]}'),
  directory = temporaryDirectory(),
): string {
  const path = join(directory, "policy.yaml");
  writeFileSync(path, text);
  return path;
}
