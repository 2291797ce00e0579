import type { MapHost, MapRef } from "../maps/index.js";
import { type Admission, CallAccess, CallRecord, rulesThatGive } from "./call-access.js";
import { anonymous, denied, memberDenied, roleDenied } from "./denial.js";
import { type AccessExplanation, explainAccess } from "./explain-access.js";
import type { BearerTokens } from "./identity/bearer-tokens.js";
import { isAnonymous, type Principal } from "./identity/principal.js";
import { withToken } from "./identity/token-bearer.js";
import { PinLookup } from "./pin-lookup.js";
import type { CallerRole, FleetRole } from "./policy/fleet-role.js";
import { type Grants, type Policy, UNLIMITED_GRANTS } from "./policy/policy.js";
import type { Verb } from "./verb.js";
import type { FileSource } from "./watched-file.js";

export interface AccessControlOptions {
  /** Absent where there are no maps, so that none is ever asked about. */
  readonly host?: MapHost | undefined;
  /** Absent where everybody who can connect may do everything. */
  readonly policy?: FileSource<Policy> | undefined;
  /** Absent where bearer tokens prove nothing. */
  readonly tokens?: BearerTokens | undefined;
}

/** Decides who may call what, and which map, and keeps to it while calls last. */
export class AccessControl {
  readonly #host: MapHost | undefined;
  readonly #policy: FileSource<Policy> | undefined;
  readonly #tokens: BearerTokens | undefined;
  readonly #pins: PinLookup | undefined;
  readonly #calls = new Set<CallRecord>();
  #grants = new WeakMap<Principal, Grants>();

  constructor({ host, policy, tokens }: AccessControlOptions) {
    this.#host = host;
    this.#policy = policy;
    this.#tokens = tokens;
    this.#pins = host && new PinLookup(host);
    policy?.onChange(() => void this.#recheck());
  }

  /**
   * Who calls, by the connection and the call's `authorization`. A token that is sent
   * must be good, also where the connection proves enough. Throws UNAUTHENTICATED.
   */
  identify(
    connection: Principal,
    authorization: string | undefined,
  ): Principal | Promise<Principal> {
    if (authorization !== undefined && this.#tokens) {
      return withToken(connection, authorization, this.#tokens);
    }
    if (isAnonymous(connection)) throw anonymous();
    return connection;
  }

  /**
   * Lets a call in; {@link ended} must follow. Throws ACCESS_DENIED where no map could be meant,
   * or RELAY_NOT_TRUSTED and ACCESS_DENIED where the caller lacks the role.
   */
  begin(who: Principal, rpc: string, verbs: readonly Verb[], role?: CallerRole): CallAccess {
    const grants = this.grantsOf(who);
    checkRole(who, grants, role);
    const missing = verbs.find((verb) => grants.rulesFor(verb).length === 0);
    if (missing !== undefined) throw denied(who, grants, { verb: missing });
    if (!grants.isKnown) throw denied(who, grants, {});
    const record = new CallRecord(who, rpc);
    this.#calls.add(record);
    return new CallAccess(this, record, verbs);
  }

  ended(record: CallRecord): void {
    this.#calls.delete(record);
  }

  /** What a caller may do by the policy of now. */
  grantsOf(who: Principal): Grants {
    if (!this.#policy) return UNLIMITED_GRANTS;
    let grants = this.#grants.get(who);
    if (!grants) {
      grants = this.#policy.value.grantsOf(who);
      this.#grants.set(who, grants);
    }
    return grants;
  }

  /** Calls back after each change of the policy. */
  onPolicyChange(listener: () => void): void {
    this.#policy?.onChange(() => {
      this.#grants = new WeakMap();
      listener();
    });
  }

  /** Throws RELAY_NOT_TRUSTED or ACCESS_DENIED unless one has a role in the fleet. */
  requireRole(who: Principal, role: FleetRole): void {
    const grants = this.grantsOf(who);
    if (!grants.roles.has(role)) throw roleDenied(who, grants, role);
  }

  /** Whether a policy decides. */
  get enforced(): boolean {
    return this.#policy !== undefined;
  }

  /** Decides as for a call, and does nothing. */
  explain(who: Principal, verb: Verb, ref: MapRef | undefined): Promise<AccessExplanation> {
    return explainAccess(this, this.#hostOfMaps, who, verb, ref);
  }

  /** Names of the holds on a map. */
  holdsOf(mapId: number): string[] {
    return this.#hostOfMaps.holds.holdsOf(mapId).map(({ name }) => name);
  }

  /** The rules that let a caller use a map so. Throws ACCESS_DENIED where there are none. */
  async check(who: Principal, admission: Admission): Promise<readonly string[]> {
    const { id, facts, verbs } = admission;
    const rulesWith = (pins: readonly string[]) =>
      rulesThatGive(who, this.grantsOf(who), { ...admission, facts: { ...facts, pins } });
    try {
      return rulesWith(facts.pins);
    } catch (denial) {
      // Pins that the request does not name cost a walk, so that they are looked for last.
      if (!verbs.some((verb) => this.grantsOf(who).looksAtPins(verb))) throw denial;
    }
    const pins = this.#pins;
    if (!pins) throw new Error("there are no maps to be asked about");
    const recent = pins.recent(id);
    if (recent) {
      try {
        return rulesWith(recent);
      } catch {
        // It may have been pinned since.
      }
    }
    return rulesWith(await pins.current(id));
  }

  get #hostOfMaps(): MapHost {
    if (!this.#host) throw new Error("there are no maps to be asked about");
    return this.#host;
  }

  /** Ends the calls in progress that the new policy does not allow. */
  async #recheck(): Promise<void> {
    this.#grants = new WeakMap();
    const checks = [...this.#calls].map(async (record) => {
      try {
        for (const admission of record.admitted) await this.check(record.who, admission);
      } catch (error) {
        record.revoke?.(error as Error);
      }
    });
    await Promise.all(checks);
  }
}

function checkRole(who: Principal, grants: Grants, role: CallerRole | undefined): void {
  if (role === undefined) return;
  if (role === "caller") {
    if (grants.isOnlyMember) throw memberDenied(who, grants);
  } else if (!grants.roles.has(role)) throw roleDenied(who, grants, role);
}
