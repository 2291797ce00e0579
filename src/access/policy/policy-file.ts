import { parse } from "yaml";
import { z } from "zod";
import { Policy } from "./policy.js";
import { policySchema } from "./policy-schema.js";

/** Reads a policy file. Throws an Error for a person that lists everything that is wrong. */
export function readPolicy(text: string): Policy {
  const result = policySchema.safeParse(parse(text, { prettyErrors: true }), { reportInput: true });
  if (result.success) return new Policy(result.data);
  const faults = result.error.issues.map(({ path, message, ...issue }) => {
    if (issue.code !== "unrecognized_keys")
      return `${z.core.toDotPath(path) || "the file"} ${message}`;
    return `${issue.keys.map((key) => z.core.toDotPath([...path, key])).join(", ")}: there is no such key`;
  });
  throw new Error(`the policy is not valid:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
}
