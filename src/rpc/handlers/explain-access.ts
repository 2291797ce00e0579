import {
  type Caller,
  type ExplainAccessRequest,
  type ExplainAccessResponseSchema,
  Verb as VerbEnum,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallAccess, type Principal, VERBS, type Verb } from "../../access/index.js";
import { type MapHost, openMap } from "../../maps/index.js";
import { toProof } from "../messages/caller-message.js";
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

function toPrincipal(caller: Caller): Principal {
  const proof = toProof(caller);
  const { sans, claims } = proof;
  const subject = claims ? `token of ${claims.sub ?? "nobody"}` : `uid ${caller.uid ?? "none"}`;
  return { ...proof, name: sans[0] ?? subject, peer: "asked about" };
}
