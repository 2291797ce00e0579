import { MapError, type MapHost, type MapRef, openMap } from "../maps/index.js";
import type { AccessControl } from "./access-control.js";
import { CallAccess, CallRecord } from "./call-access.js";
import { denied } from "./denial.js";
import { isAnonymous, type Principal } from "./identity/principal.js";
import type { Verb } from "./verb.js";

/** Whether a caller may do something, and why. */
export interface AccessExplanation {
  readonly allowed: boolean;
  readonly identities: readonly string[];
  /** The rule that allows it; empty where none does. */
  readonly rule: string;
  readonly explanation: string;
}

/** Decides as for a call, and does nothing. Errors of the reference are thrown as for a call. */
export async function explainAccess(
  control: AccessControl,
  host: MapHost,
  who: Principal,
  verb: Verb,
  ref: MapRef | undefined,
): Promise<AccessExplanation> {
  const { identities } = control.grantsOf(who);
  try {
    const rule = await ruleThatGives(control, host, who, verb, ref);
    const explanation = `${who.name} may ${verb} ${ref ? "it" : "some maps"}, by the rule "${rule}"`;
    return { allowed: true, identities, rule, explanation };
  } catch (error) {
    if (!(error instanceof MapError) || error.reason !== "ACCESS_DENIED") throw error;
    return { allowed: false, identities, rule: "", explanation: error.message };
  }
}

async function ruleThatGives(
  control: AccessControl,
  host: MapHost,
  who: Principal,
  verb: Verb,
  ref: MapRef | undefined,
): Promise<string> {
  if (!ref) {
    const grants = control.grantsOf(who);
    const [rule] = grants.rulesFor(verb);
    if (rule === undefined || isAnonymous(who)) throw denied(who, grants, { verb });
    return rule;
  }
  const record = new CallRecord(who, "");
  const map = await openMap(host, { ...ref, access: new CallAccess(control, record, [verb]) });
  map.close();
  return record.admitted.at(-1)?.rules[0] ?? "";
}
