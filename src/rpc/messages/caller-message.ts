import {
  type Caller,
  CallerSchema,
  type CallOrigin,
  CallOriginSchema,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Principal } from "../../access/index.js";
import { fieldError } from "../../maps/index.js";

/** What a caller has proven, as the contract says it. */
export function callerMessage({ unix, sans, claims }: Principal): Caller {
  return create(CallerSchema, {
    ...(unix && { uid: unix.uid, gids: [...unix.gids] }),
    sans: [...sans],
    claimsJson: claims === undefined ? "" : JSON.stringify(claims),
  });
}

/** Who makes a call that a relay is to carry. */
export function callOrigin(who: Principal): CallOrigin {
  const { name, peer, expiresAtMs } = who;
  return create(CallOriginSchema, {
    ...{ name, peer, caller: callerMessage(who) },
    ...(expiresAtMs !== undefined && { expiresAt: timestampFromMs(expiresAtMs) }),
  });
}

/** What is proven of a caller. Throws FIELD_INVALID where its claims are no JSON object. */
export function toProof({
  uid,
  gids,
  sans,
  claimsJson,
}: Caller): Pick<Principal, "sans" | "claims" | "unix"> {
  const hasUnix = uid !== undefined || gids.length > 0;
  return {
    sans,
    ...(claimsJson !== "" && { claims: toClaims(claimsJson) }),
    ...(hasUnix && { unix: { uid: uid ?? -1, gids, pid: 0 } }),
  };
}

/**
 * Who makes a call that a relay carries, which is trusted to say so.
 *
 * @param isHere whether the relay is on this machine: only there a uid is the same user's
 */
export function carriedCaller(
  { name, peer, caller, expiresAt }: CallOrigin,
  relay: { readonly name: string; readonly isHere: boolean },
): Principal {
  const { sans, claims, unix } = caller ? toProof(caller) : { sans: [] };
  return {
    ...{ name, peer, sans, relay: relay.name },
    ...(claims && { claims }),
    ...(unix && relay.isHere && { unix }),
    ...(expiresAt && { expiresAtMs: timestampMs(expiresAt) }),
  };
}

function toClaims(json: string): Record<string, unknown> {
  let claims: unknown;
  try {
    claims = JSON.parse(json);
  } catch {
    claims = undefined;
  }
  if (typeof claims === "object" && claims !== null && !Array.isArray(claims)) {
    return claims as Record<string, unknown>;
  }
  throw fieldError("FIELD_INVALID", "caller.claims_json", "must be a JSON object");
}
