/** What can be done to a map; docs/security.md tells which RPC needs which. */
export const VERBS = [
  "list",
  "read",
  "watch",
  "write",
  "delete",
  "create",
  "pin",
  "hold",
  "freeze",
  "consume",
  "admin",
] as const;

export type Verb = (typeof VERBS)[number];

/** Verbs that change nothing, for which fds can be read-only. */
const READING: ReadonlySet<Verb> = new Set(["list", "read", "watch"]);

/** Whether these verbs only read. */
export function onlyRead(verbs: readonly Verb[]): boolean {
  return verbs.every((verb) => READING.has(verb));
}
