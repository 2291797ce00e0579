import type { MapAccess, MapRecord, MapRef, NewMap, OpenMap } from "../maps/index.js";
import type { AccessControl } from "./access-control.js";
import { askedFor, denied } from "./denial.js";
import type { AccessExplanation } from "./explain-access.js";
import type { Principal } from "./identity/principal.js";
import type { MapFacts } from "./policy/map-facts.js";
import type { Grants } from "./policy/policy.js";
import { onlyRead, type Verb } from "./verb.js";

/** A map that a call was let at. */
export interface AdmittedMap {
  readonly id: number;
  readonly name: string;
  readonly keySize: number;
}

/** A map, how it was named, and what is to be done to it. */
export interface Admission extends AdmittedMap {
  readonly facts: MapFacts;
  readonly ref: MapRef | undefined;
  readonly verbs: readonly Verb[];
}

interface Admitted extends Admission {
  /** The rules that gave the verbs, in their order. */
  readonly rules: readonly string[];
}

/** One call in progress: who calls, and which maps it was let at. */
export class CallRecord {
  readonly who: Principal;
  /** The RPC's path without the first slash. */
  readonly rpc: string;
  readonly admitted: Admitted[] = [];
  /** Elements that were streamed to the daemon. */
  streamed = 0;
  /** Ends the call with an error; set where it can be ended. */
  revoke: ((error: Error) => void) | undefined;

  constructor(who: Principal, rpc: string) {
    this.who = who;
    this.rpc = rpc;
  }
}

/** What one call may do to maps: the verbs of its RPC, on the maps where its caller has them. */
export class CallAccess implements MapAccess {
  readonly record: CallRecord;
  readonly readOnly: boolean;
  readonly #control: AccessControl;
  readonly #verbs: readonly Verb[];

  /** @param readOnly whether fds that only read are enough */
  constructor(
    control: AccessControl,
    record: CallRecord,
    verbs: readonly Verb[],
    readOnly = onlyRead(verbs),
  ) {
    this.#control = control;
    this.record = record;
    this.#verbs = verbs;
    this.readOnly = readOnly;
  }

  /** The same call, needing other verbs. */
  needing(...verbs: readonly Verb[]): CallAccess {
    return new CallAccess(this.#control, this.record, verbs);
  }

  /** The same call with writable fds: the kernel maps the memory of no others. */
  get mapping(): CallAccess {
    return new CallAccess(this.#control, this.record, this.#verbs, false);
  }

  /** Who calls. */
  get who(): Principal {
    return this.record.who;
  }

  /** Whether a policy decides. */
  get enforced(): boolean {
    return this.#control.enforced;
  }

  /** Throws ACCESS_DENIED unless the caller has a verb on any map. */
  requireAnywhere(verb: Verb): void {
    if (this.#grants.rulesFor(verb).length === 0) throw denied(this.who, this.#grants, { verb });
  }

  /** Decides as for a call of `who`, and does nothing. */
  explain(who: Principal, verb: Verb, ref: MapRef | undefined): Promise<AccessExplanation> {
    return this.#control.explain(who, verb, ref);
  }

  get looksAtPins(): boolean {
    return this.#verbs.some((verb) => this.#grants.looksAtPins(verb));
  }

  async admit(map: OpenMap, ref?: MapRef): Promise<void> {
    const { id, name, type, keySize } = map.info;
    const facts = {
      ...{ name, type, holds: this.#control.holdsOf(id) },
      pins: ref?.by === "pinPath" ? [ref.pinPath] : [],
    };
    const admission = { ...{ id, name, keySize, facts, ref }, verbs: this.#verbs };
    const rules = await this.#control.check(this.record.who, admission);
    this.record.admitted.push({ ...admission, rules });
  }

  admitNew({ name, type, pinPath, hold }: NewMap): void {
    const facts = {
      ...{ name, type },
      holds: hold === undefined ? [] : [hold],
      pins: pinPath === undefined ? [] : [pinPath],
    };
    for (const verb of this.#verbs) {
      if (this.#grants.ruleThatGives(verb, facts) !== undefined) continue;
      throw denied(this.record.who, this.#grants, newMap(verb, { name, type, pinPath, hold }));
    }
  }

  visibleWith(pins: ReadonlyMap<number, readonly string[]>): (map: MapRecord) => boolean {
    const grants = this.#grants;
    return ({ id, name, type, holds }) => {
      const names = holds.map((hold) => hold.name);
      const facts = { name, type, holds: names, pins: pins.get(id) ?? [] };
      return this.#verbs.every((verb) => grants.ruleThatGives(verb, facts) !== undefined);
    };
  }

  get #grants(): Grants {
    return this.#control.grantsOf(this.record.who);
  }
}

function newMap(verb: Verb, { name, pinPath, hold }: NewMap) {
  const parts = [
    `named ${JSON.stringify(name)}`,
    ...(pinPath === undefined ? [] : [`pinned at ${pinPath}`]),
    ...(hold === undefined ? [] : [`held as ${JSON.stringify(hold)}`]),
  ];
  const selectors = [
    `names: [${JSON.stringify(name)}]`,
    ...(pinPath === undefined ? [] : [`pins: [${JSON.stringify(pinPath)}]`]),
    ...(hold === undefined ? [] : [`holds: [${JSON.stringify(hold)}]`]),
  ];
  return { verb, map: `a map ${parts.join(", ")}`, selector: `{${selectors.join(" or ")}}` };
}

/** The rules that give the verbs on a map. Throws ACCESS_DENIED where one is not given. */
export function rulesThatGive(
  who: Principal,
  grants: Grants,
  { id, ref, verbs, facts }: Admission,
): string[] {
  return verbs.map((verb) => {
    const rule = grants.ruleThatGives(verb, facts);
    if (rule === undefined) throw denied(who, grants, askedFor(verb, ref, id));
    return rule;
  });
}
