import type { Principal } from "../identity/principal.js";
import { DEFAULT_LIMITS, type Limits } from "../limits/limits.js";
import { VERBS, type Verb } from "../verb.js";
import { FLEET_ROLES, type FleetRole } from "./fleet-role.js";
import { identityMatcher } from "./identity-matcher.js";
import type { MapFacts } from "./map-facts.js";
import { type MapSelector, mapSelector } from "./map-selector.js";
import { PolicyLimits } from "./policy-limits.js";
import type { PolicyDocument } from "./policy-schema.js";

interface Rule extends MapSelector {
  readonly label: string;
  readonly identities: readonly string[];
  readonly verbs: ReadonlySet<Verb>;
}

/** What a policy gives to one caller. */
export interface Grants {
  /** The identities that the caller is. */
  readonly identities: readonly string[];
  /** Whether the caller is any of the identities, so that it may ask what concerns no map. */
  readonly isKnown: boolean;
  /** Labels of the rules that give a verb on any map at all. */
  rulesFor(verb: Verb): readonly string[];
  /** The label of the rule that gives a verb on a map; undefined where none does. */
  ruleThatGives(verb: Verb, map: MapFacts): string | undefined;
  /** Whether pins, which were not looked for, could make a difference. */
  looksAtPins(verb: Verb): boolean;
  /** What it may be in a fleet. */
  readonly roles: ReadonlySet<FleetRole>;
  /** Whether it is a host or a relay of the fleet and nothing else, so that it calls none itself. */
  readonly isOnlyMember: boolean;
  /** How much the caller may take. */
  readonly limits: Limits;
}

/** Everything, without end: what a caller of a socket has whose mode is the policy. */
export const UNLIMITED_GRANTS: Grants = {
  identities: [],
  isKnown: true,
  rulesFor: () => ["unix_socket: trusted"],
  ruleThatGives: () => "unix_socket: trusted",
  looksAtPins: () => false,
  roles: new Set(FLEET_ROLES),
  isOnlyMember: false,
  limits: DEFAULT_LIMITS,
};

/** Who may do what to which map. Rules only give: what none gives is denied. */
export class Policy {
  readonly #trustsUnixSocket: boolean;
  readonly #identities: readonly (readonly [string, (who: Principal) => boolean])[];
  readonly #rules: readonly Rule[];
  readonly #limits: PolicyLimits;
  readonly #fleet: PolicyDocument["fleet"];

  constructor({ unix_socket, identities, labels, rules, limits, fleet }: PolicyDocument) {
    this.#fleet = fleet;
    this.#limits = new PolicyLimits(limits);
    this.#trustsUnixSocket = unix_socket === "trusted";
    this.#identities = Object.entries(identities).map(([name, proofs]) => {
      const matchers = proofs.map(identityMatcher);
      return [name, (who: Principal) => matchers.some((isMatch) => isMatch(who))];
    });
    this.#rules = rules.map((rule, index) => ({
      ...mapSelector(rule.maps, labels),
      label: rule.name ?? `rules[${index}]`,
      identities: rule.identities,
      verbs: new Set(rule.verbs === "all" ? VERBS : rule.verbs),
    }));
  }

  /** What a caller may do. */
  grantsOf(who: Principal): Grants {
    const identities = this.#identities.filter(([, isMatch]) => isMatch(who)).map(([name]) => name);
    const limits = this.#limits.of(identities);
    if (this.#trustsUnixSocket && who.unix) return { ...UNLIMITED_GRANTS, limits };
    const own = this.#rules.filter((rule) =>
      rule.identities.some((identity) => identities.includes(identity)),
    );
    const giving = new Map(VERBS.map((verb) => [verb, own.filter(({ verbs }) => verbs.has(verb))]));
    const rulesOf = (verb: Verb) => giving.get(verb) ?? [];
    return {
      identities,
      isKnown: identities.length > 0,
      rulesFor: (verb) => rulesOf(verb).map(({ label }) => label),
      ruleThatGives: (verb, map) => rulesOf(verb).find((rule) => rule.selects(map))?.label,
      looksAtPins: (verb) => rulesOf(verb).some((rule) => rule.looksAtPins),
      roles: this.#rolesOf(identities),
      isOnlyMember: this.#isOnlyMember(identities),
      limits,
    };
  }

  #isOnlyMember(identities: readonly string[]): boolean {
    const { hosts, relays, controllers } = this.#fleet;
    const members = [...hosts, ...relays].filter((identity) => !controllers.includes(identity));
    return identities.length > 0 && identities.every((identity) => members.includes(identity));
  }

  #rolesOf(identities: readonly string[]): ReadonlySet<FleetRole> {
    const roles = FLEET_ROLES.filter((role) =>
      this.#fleet[`${role}s`].some((identity) => identities.includes(identity)),
    );
    return new Set(roles);
  }
}
