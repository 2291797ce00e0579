import type { CallContext } from "../adapter/server-call.js";

/** Who calls; the gate has let nobody in whom it does not know. */
export function callerOf({ guard }: CallContext) {
  if (!guard) throw new Error("a call has come by no gate");
  return guard.who;
}
