import { DEFAULT_LIMITS, type LimitName, type Limits } from "../limits/limits.js";
import { DEFAULT_LIMITS_KEY, type LimitsDocument } from "./limits-schema.js";

/** The limits that a policy sets, by identity. */
export class PolicyLimits {
  readonly #default: Limits;
  readonly #own: ReadonlyMap<string, LimitsDocument>;

  constructor({
    [DEFAULT_LIMITS_KEY]: given = {},
    ...own
  }: Readonly<Record<string, LimitsDocument>>) {
    this.#default = withDefaults(DEFAULT_LIMITS, [given]);
    this.#own = new Map(Object.entries(own));
  }

  /**
   * The limits of one who is all of these identities: of each limit the highest that any of
   * them sets, since identities only ever give.
   */
  of(identities: readonly string[]): Limits {
    const own = identities.flatMap((identity) => this.#own.get(identity) ?? []);
    return own.length === 0 ? this.#default : withDefaults(this.#default, own);
  }
}

function withDefaults(defaults: Limits, documents: readonly LimitsDocument[]): Limits {
  const names = Object.keys(defaults) as LimitName[];
  const entries = names.map((name) => {
    const set = documents.flatMap(({ [name]: value }) => value ?? []);
    return [name, set.length === 0 ? defaults[name] : Math.max(...set)];
  });
  return Object.fromEntries(entries) as Limits;
}
