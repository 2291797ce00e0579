import type {
  Elements,
  FleetService,
  PatchMapSetRequest,
  PutMapSetRequest,
} from "@bpfmapd/client/proto";
import {
  isSetName,
  mapSetMessage,
  type Relay,
  type SetStatusEvent,
  selectorJson,
  toDriftAction,
  toOwnership,
  toSetSpec,
  writerJson,
} from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";
import type { CallContext } from "../adapter/server-call.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { callOrigin } from "../messages/caller-message.js";
import { decodeTextToken, encodeTextToken, foreignToken } from "../messages/page-token.js";
import { toRolloutPlan } from "../messages/rollout-message.js";
import { callerOf } from "./caller.js";
import { explained, explainedStream } from "./set-errors.js";

const DEFAULT_PAGE_SIZE = 100;

type MapSetHandlers = Pick<
  ServiceHandlers<typeof FleetService>,
  "putMapSet" | "patchMapSet" | "getMapSet" | "listMapSets" | "deleteMapSet" | "watchMapSetStatus"
>;

/** FleetService's part for map sets, over a relay. */
export function mapSetHandlers(relaySets: Relay["sets"]): MapSetHandlers {
  const { sets } = relaySets;
  return {
    putMapSet: (requests, context) =>
      explained(async () => {
        const chunks = requests[Symbol.asyncIterator]();
        const { name, spec, expected, rollout } = startOf((await chunks.next()).value);
        const options = { expected, rollout, ...writing(context) };
        const { manifest, isNew } = await sets.put(name, spec, elementsIn(chunks), options);
        return { mapSet: mapSetMessage(manifest), newGeneration: isNew };
      }),

    patchMapSet: (request, context) =>
      explained(async () => {
        const { manifest, isNew, ...counts } = await sets.patch(request.name, patchOf(request), {
          expected: toGeneration(request.expectedGeneration),
          rollout: request.rollout && toRolloutPlan(request.rollout),
          ...writing(context),
        });
        const { added, changed, removed, unchanged } = counts;
        return {
          ...{ mapSet: mapSetMessage(manifest), newGeneration: isNew },
          ...{ added: BigInt(added), changed: BigInt(changed) },
          ...{ removed: BigInt(removed), unchanged: BigInt(unchanged) },
        };
      }),

    async *getMapSet({ name, generation, withoutElements }, { signal }) {
      const wanted = generation === 0n ? undefined : toGeneration(generation);
      const set = await explained(() => sets.get(name, { generation: wanted, signal }));
      yield { kind: { case: "mapSet", value: mapSetMessage(set.manifest) } };
      if (withoutElements) return;
      for await (const value of explainedStream(sets.read(set, { signal }))) {
        yield { kind: { case: "elements", value } };
      }
      const value = { elementCount: BigInt(set.manifest.count) };
      yield { kind: { case: "end", value } };
    },

    listMapSets: ({ pageSize, pageToken }, { signal }) =>
      explained(async () => {
        const after = decodeTextToken(pageToken);
        if (after !== undefined && !isSetName(after)) throw foreignToken();
        const limit = pageSize || DEFAULT_PAGE_SIZE;
        const { manifests, more } = await sets.list({ after, limit, signal });
        const last = manifests.at(-1)?.name;
        return {
          mapSets: manifests.map(mapSetMessage),
          nextPageToken: more && last !== undefined ? encodeTextToken(last) : "",
        };
      }),

    deleteMapSet: ({ name, expectedGeneration }, { signal }) =>
      explained(async () => {
        const expected = toGeneration(expectedGeneration);
        const manifest = await sets.delete(name, { expected, signal });
        return { mapSet: mapSetMessage(manifest) };
      }),

    async *watchMapSetStatus({ name }, { signal }) {
      for await (const event of explainedStream(relaySets.watchStatus(name, signal))) {
        yield statusEventMessage(event);
      }
    },
  };
}

function writing(context: CallContext) {
  const who = callerOf(context);
  return { writer: writerJson(callOrigin(who)), by: who.name, signal: context.signal };
}

function startOf(request: PutMapSetRequest | undefined) {
  if (request?.kind.case !== "start") {
    throw fieldError("FIELD_INVALID", "start", "a put begins with its start");
  }
  const { name, spec, expectedGeneration, rollout } = request.kind.value;
  if (!spec) throw fieldError("FIELD_INVALID", "start.spec", "is required");
  const whole = toSetSpec(spec);
  if (spec.target?.outerKey !== undefined && whole.ownership !== "exclusive") {
    const why = "only EXCLUSIVE with outer_key: the inner map is made anew with each generation";
    throw fieldError("FIELD_INVALID", "start.spec.ownership", why);
  }
  const expected = toGeneration(expectedGeneration);
  return { name, spec: whole, expected, rollout: rollout && toRolloutPlan(rollout) };
}

async function* elementsIn(chunks: AsyncIterator<PutMapSetRequest>) {
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    const { kind } = next.value;
    if (kind.case !== "elements") {
      throw fieldError("FIELD_INVALID", "kind", "after its start come elements only");
    }
    yield plain(kind.value, "elements");
  }
}

function patchOf(request: PatchMapSetRequest) {
  const { puts, removedKeys: keys, removedCount: count, selector, ownership, drift } = request;
  return {
    ...(puts && { puts: plain(puts, "puts") }),
    ...((count > 0 || keys.length > 0) && { removals: { count, keys } }),
    spec: {
      ...(selector && { selector: selectorJson(selector) }),
      ownership: toOwnership(ownership),
      drift: toDriftAction(drift),
    },
  };
}

/** Hosts may have other types, and other objects: sets are bytes. */
function plain(elements: Elements, field: string): Elements {
  const { objectKeys, objectValues, jsonKeys, jsonValues } = elements;
  if (objectKeys.length + objectValues.length + jsonKeys.length + jsonValues.length === 0) {
    return elements;
  }
  throw fieldError("FIELD_INVALID", field, "a set has bytes only: give keys and values");
}

/** More than 2^53 generations is none that there is. */
function toGeneration(generation: bigint | undefined): number | undefined {
  return generation === undefined ? undefined : Number(generation);
}

function statusEventMessage(event: SetStatusEvent) {
  switch (event.kind) {
    case "status":
      return { event: { case: "status" as const, value: event.status } };
    case "removed":
      return { event: { case: "removedHostId" as const, value: event.hostId } };
    case "totals":
      return { event: { case: "totals" as const, value: event.totals } };
  }
}
