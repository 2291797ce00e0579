import {
  type Caller,
  type ExplainAccessRequest,
  type ExplainAccessResponseSchema,
  Verb as VerbEnum,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallAccess, type Principal, VERBS, type Verb } from "../../access/index.js";
import { fieldError, type MapHost, openMap } from "../../maps/index.js";
import { toMapRef } from "../messages/map-ref-message.js";

type Answer = MessageInitShape<typeof ExplainAccessResponseSchema>;

/** HostService.ExplainAccess. */
export async function explainAccessRequest(
  host: MapHost,
  { verb: verbNumber, map, caller }: ExplainAccessRequest,
  access: CallAccess | undefined,
): Promise<Answer> {
  const verb = toVerb(verbNumber);
  const ref = map && toMapRef(map, undefined);
  if (!access?.enforced) {
    if (ref) (await openMap(host, ref)).close();
    const explanation = "no policy is in force: who can connect may do everything";
    return { allowed: true, enforced: false, caller: access?.who.name ?? "", explanation };
  }
  if (caller) access.requireAnywhere("admin");
  const who = caller ? toPrincipal(caller) : access.who;
  const explained = await access.explain(who, verb, ref);
  return { ...explained, identities: [...explained.identities], enforced: true, caller: who.name };
}

function toVerb(verb: VerbEnum): Verb {
  return VerbEnum[verb].toLowerCase() as Verb;
}

/** The contract's verbs are the policy's: a verb without its number does not compile. */
VERBS satisfies readonly Lowercase<Exclude<keyof typeof VerbEnum, "UNSPECIFIED">>[];

function toPrincipal({ uid, gids, sans, claimsJson }: Caller): Principal {
  const claims = claimsJson === "" ? undefined : toClaims(claimsJson);
  const name = sans[0] ?? (claims ? `token of ${claims.sub ?? "nobody"}` : `uid ${uid ?? "none"}`);
  const hasUnix = uid !== undefined || gids.length > 0;
  return {
    ...{ name, peer: "asked about", sans },
    ...(claims && { claims }),
    ...(hasUnix && { unix: { uid: uid ?? -1, gids, pid: 0 } }),
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
