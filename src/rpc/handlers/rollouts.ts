import {
  ControlRolloutRequest_Control as ControlEnum,
  type FleetService,
  type RolloutHostSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Control, PlacedHost, Relay, RolloutNow } from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { rolloutHostMessage, rolloutMessage } from "../messages/rollout-message.js";
import { callerOf } from "./caller.js";
import { explained, explainedStream } from "./set-errors.js";

type RolloutHandlers = Pick<
  ServiceHandlers<typeof FleetService>,
  "controlRollout" | "watchRollout"
>;

/** What of hosts is told. */
interface HostNews {
  readonly hosts: MessageInitShape<typeof RolloutHostSchema>[];
  readonly removedHostIds: string[];
}

const NO_HOSTS: HostNews = { hosts: [], removedHostIds: [] };

const CONTROLS = new Map<ControlEnum, Control>([
  [ControlEnum.PAUSE, "pause"],
  [ControlEnum.RESUME, "resume"],
  [ControlEnum.ABORT, "abort"],
  [ControlEnum.ROLL_BACK, "rollBack"],
]);

/** FleetService's part for rollouts, over a relay. */
export function rolloutHandlers({ rollouts }: Relay["sets"]): RolloutHandlers {
  return {
    controlRollout: (request, context) =>
      explained(async () => {
        const control = CONTROLS.get(request.control);
        if (control === undefined) throw fieldError("FIELD_INVALID", "control", "is required");
        const { name: by } = callerOf(context);
        const { name, message, rolloutId } = request;
        const asked = { control, by, message, ...(rolloutId !== "" && { rolloutId }) };
        return { rollout: rolloutMessage(await rollouts.control(name, asked, context.signal)) };
      }),

    async *watchRollout({ name, once, withHosts }, { signal }) {
      const told = new Map<string, string>();
      let before = "";
      for await (const now of explainedStream(rollouts.watch(name, signal))) {
        const rollout = rolloutMessage(now);
        const { hosts, removedHostIds } = withHosts ? hostNews(now, told) : NO_HOSTS;
        const text = JSON.stringify(rollout, withBigInts);
        const hasNews = text !== before || hosts.length + removedHostIds.length > 0;
        before = text;
        if (hasNews) yield { rollout, hosts, removedHostIds };
        if (once) return;
      }
    },
  };
}

/** Hosts that are other than they were told. */
function hostNews({ assessment }: RolloutNow, told: Map<string, string>): HostNews {
  if (assessment === undefined) return NO_HOSTS;
  const hosts: PlacedHost[] = [];
  const there = new Set<string>();
  for (const placed of assessment.placed) {
    const { host, standing } = placed;
    const facts = JSON.stringify([standing, host.applied, host.isReachable, host.error]);
    there.add(host.id);
    if (told.get(host.id) === facts) continue;
    told.set(host.id, facts);
    hosts.push(placed);
  }
  const removedHostIds = [...told.keys()].filter((id) => !there.has(id));
  for (const id of removedHostIds) told.delete(id);
  return { hosts: hosts.map(rolloutHostMessage), removedHostIds };
}

function withBigInts(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
