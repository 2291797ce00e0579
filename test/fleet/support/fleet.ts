import { type FleetHost, Liveness } from "@bpfmapd/client/proto";
import { type DaemonOptions, startDaemon, type TestDaemon } from "../../support/daemon.js";

/** Quicker than usual, and still slow enough for a machine that is busy with other tests. */
export const QUICK = ["--fleet-heartbeat-ms", "3000", "--fleet-lease-s", "5"];

/** An embedded store of a daemon's own. */
export const OWN_STORE = ["--store-directory", "{directory}/store"];

/** Where a host remembers its map sets. */
export const OWN_MEMORY = ["--host-directory", "{directory}/host"];

/** A relay with an embedded store of its own, unless the options have another. */
export async function startRelay(id: string, options: DaemonOptions = {}): Promise<TestDaemon> {
  const { args = [], ...others } = options;
  return startDaemon({
    ...others,
    role: "relay",
    args: ["--relay-id", id, ...OWN_STORE, ...QUICK, ...args],
  });
}

/** Where a relay is dialed on this machine. */
export function addressOf({ socket }: TestDaemon): string {
  return `unix:${socket}`;
}

/** A daemon that is a host of the fleet of these relays. */
export async function startHost(
  id: string,
  relays: readonly TestDaemon[],
  { args = [], ...options }: DaemonOptions = {},
): Promise<TestDaemon> {
  const join = relays.flatMap((relay) => ["--join", addressOf(relay)]);
  const own = ["--host-id", id, ...OWN_MEMORY];
  return startDaemon({ ...options, args: [...own, ...join, ...args] });
}

/** Waits until the fleet, as a relay knows it, is as it should be; answers the hosts. */
export async function untilHosts(
  relay: TestDaemon,
  isRight: (hosts: ReadonlyMap<string, FleetHost>) => boolean,
): Promise<ReadonlyMap<string, FleetHost>> {
  const hosts = new Map<string, FleetHost>();
  let isSynced = false;
  for await (const { event } of relay.client.fleet.watchHosts({}, { deadlineMs: 20_000 })) {
    if (event.case === "host") hosts.set(event.value.id, event.value);
    if (event.case === "removedHostId") hosts.delete(event.value);
    if (event.case === "synced") isSynced = true;
    if (isSynced && isRight(hosts)) break;
  }
  return hosts;
}

/** Waits until these hosts have sessions. */
export function untilConnected(relay: TestDaemon, ...ids: string[]) {
  return untilHosts(relay, (hosts) =>
    ids.every((id) => hosts.get(id)?.liveness === Liveness.CONNECTED),
  );
}
