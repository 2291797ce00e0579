import { describeRef, MapError, type MapRef } from "../maps/index.js";
import type { Principal } from "./identity/principal.js";
import type { FleetRole } from "./policy/fleet-role.js";
import type { Grants } from "./policy/policy.js";
import type { Verb } from "./verb.js";

/** What was asked for, as far as a message to the caller may repeat it. */
export interface Asked {
  /** Absent where it is enough to be known to the policy. */
  readonly verb?: Verb | undefined;
  /** For people, such as "map id 7"; absent where no map comes into it. */
  readonly map?: string | undefined;
  /** The `maps` of a rule that would choose it. */
  readonly selector?: string | undefined;
}

/** A map as a request names it: the message must tell nothing of it that the caller does not know. */
export function askedFor(verb: Verb, ref: MapRef | undefined, id: number): Asked {
  if (ref === undefined) return { verb, map: `map id ${id}`, selector: "{…}" };
  return { verb, map: describeRef(ref), selector: selectorFor(ref) };
}

function selectorFor(ref: MapRef): string {
  switch (ref.by) {
    case "name":
      return `{names: [${JSON.stringify(ref.name)}]}`;
    case "pinPath":
      return `{pins: [${JSON.stringify(ref.pinPath)}]}`;
    case "held":
      return `{holds: [${JSON.stringify(ref.held)}]}`;
    case "id":
      return "{…} by its name, pins, holds or type";
  }
}

/** PERMISSION_DENIED: no rule gives it. Says who, what, and which rule would. */
export function denied(who: Principal, grants: Grants, { verb, map, selector }: Asked): MapError {
  const what = verb === undefined ? "call the daemon" : `${verb} ${map ?? "any map"}`;
  return new MapError("ACCESS_DENIED", `${who.name} may not ${what}: ${why()}`, {
    metadata: {
      caller: who.name,
      identities: grants.identities.join(","),
      ...(verb !== undefined && { verb }),
      ...(map !== undefined && { map }),
    },
  });

  function why(): string {
    if (grants.identities.length === 0) {
      const rule = verb === undefined ? "" : `, and needs a rule with verbs: [${verb}]`;
      return `no identity of the policy matches it; one with ${proofOf(who)} would${rule}`;
    }
    const identities = grants.identities.join(", ");
    return `no rule gives it; one with identities: [${identities}], verbs: [${verb}], maps: ${selector ?? "all"} would`;
  }
}

const ROLES: Readonly<Record<FleetRole, string>> = {
  host: "register as a host",
  relay: "speak for others",
  controller: "read and write the fleet's map sets",
};

/** PERMISSION_DENIED: the policy does not give one a role in the fleet. */
export function roleDenied(who: Principal, grants: Grants, role: FleetRole): MapError {
  const identities = grants.identities.join(", ");
  const why =
    identities === ""
      ? `no identity of the policy matches it; one with ${proofOf(who)} would, if fleet.${role}s has it`
      : `none of its identities (${identities}) is among fleet.${role}s`;
  return new MapError(
    role === "relay" ? "RELAY_NOT_TRUSTED" : "ACCESS_DENIED",
    `${who.name} may not ${ROLES[role]}: ${why}`,
    { metadata: { caller: who.name, identities: grants.identities.join(",") } },
  );
}

/** PERMISSION_DENIED: a host or a relay calls the fleet, which it is only a part of. */
export function memberDenied(who: Principal, { identities }: Grants): MapError {
  const names = identities.join(", ");
  return new MapError(
    "ACCESS_DENIED",
    `${who.name} may not call the fleet: it is only one of its hosts or relays (${names}); under fleet.controllers it would be more`,
    { metadata: { caller: who.name, identities: identities.join(",") } },
  );
}

function proofOf({ unix, sans, claims }: Principal): string {
  if (sans[0] !== undefined) return `san: [${JSON.stringify(sans[0])}]`;
  if (claims) return `claims: {sub: ${JSON.stringify(claims.sub ?? "…")}}`;
  return `uid: [${unix?.uid ?? "…"}]`;
}

/** UNAUTHENTICATED: nothing was proven. */
export function anonymous(): MapError {
  return new MapError(
    "UNAUTHENTICATED",
    "the call proves no identity: connect with a client certificate, or send a bearer token",
  );
}
