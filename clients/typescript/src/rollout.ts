import type { CallOptions } from "./call-options.js";
import type { BpfmapClient } from "./client.js";
import { protocolError } from "./errors.js";
import {
  ControlRolloutRequest_Control as ControlEnum,
  type Rollout,
  type RolloutHost,
} from "./gen/bpfmap/fleet/v1/rollout_pb.js";

/** What can be asked of a rollout: see `ControlRolloutRequest.Control`. */
export type RolloutControl = "pause" | "resume" | "abort" | "rollBack";

/** How a rollout is controlled. */
export interface RolloutControlOptions extends CallOptions {
  /** The rollout that is meant; the set's last one unless given. */
  rolloutId?: string;
  /** Why, for people: the rollout's history keeps it. */
  message?: string;
}

/** A rollout, and all of its hosts, as they are now. */
export interface RolloutProgress {
  readonly rollout: Rollout;
  /** By their ids; in the order in which they come to the waves. */
  readonly hosts: ReadonlyMap<string, RolloutHost>;
}

const CONTROLS: Readonly<Record<RolloutControl, ControlEnum>> = {
  pause: ControlEnum.PAUSE,
  resume: ControlEnum.RESUME,
  abort: ControlEnum.ABORT,
  rollBack: ControlEnum.ROLL_BACK,
};

export async function controlRollout(
  client: BpfmapClient,
  name: string,
  control: RolloutControl,
  { rolloutId = "", message = "", ...call }: RolloutControlOptions = {},
): Promise<Rollout> {
  const request = { name, control: CONTROLS[control], rolloutId, message };
  const { rollout } = await client.fleet.controlRollout(request, call);
  return told(rollout);
}

export async function* watchRollout(
  client: BpfmapClient,
  name: string,
  once: boolean,
  options?: CallOptions,
): AsyncGenerator<RolloutProgress, void> {
  const hosts = new Map<string, RolloutHost>();
  const request = { name, once, withHosts: true };
  for await (const answer of client.fleet.watchRollout(request, options)) {
    for (const host of answer.hosts) hosts.set(host.hostId, host);
    for (const id of answer.removedHostIds) hosts.delete(id);
    yield { rollout: told(answer.rollout), hosts };
  }
}

function told(rollout: Rollout | undefined): Rollout {
  if (!rollout) throw protocolError("the relay has told no rollout");
  return rollout;
}
