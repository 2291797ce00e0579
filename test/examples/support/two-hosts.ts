import { spawnSync } from "node:child_process";
import { onTestFinished } from "vitest";
import { run } from "../../objects/support/objects.js";
import { uniqueName } from "../../service/support/plain-map.js";

/** Two network namespaces whose `eth0` are the ends of one cable; gone when the test ends. */
export interface TwoHosts {
  /** The one with the XDP program. */
  readonly host: string;
  /** The one that sends to it. */
  readonly peer: string;
}

const MAC = { host: "02:00:00:00:00:01", peer: "02:00:00:00:00:02" };

/** Connects two namespaces; each has addresses of its own, with their prefix lengths. */
export function twoHosts(addresses: {
  readonly host: readonly string[];
  readonly peer: readonly string[];
}): TwoHosts {
  const name = uniqueName();
  const hosts = { host: `${name}-host`, peer: `${name}-peer` };
  for (const namespace of Object.values(hosts)) {
    run("ip", "netns", "add", namespace);
    onTestFinished(() => void spawnSync("ip", ["netns", "del", namespace]));
  }
  const far = ["type", "veth", "peer", "name", "eth0", "netns", hosts.peer];
  run("ip", "-n", hosts.host, "link", "add", "eth0", ...far);
  for (const [side, other] of [
    ["host", "peer"],
    ["peer", "host"],
  ] as const) {
    const ip = (...args: string[]) => run("ip", "-n", hosts[side], ...args);
    ip("link", "set", "dev", "eth0", "address", MAC[side], "up");
    for (const address of addresses[side]) {
      const nodad = address.includes(":") ? ["nodad"] : [];
      ip("address", "add", address, "dev", "eth0", ...nodad);
    }
    // Nobody has to ask for them, from an address that may be blocked.
    for (const address of addresses[other]) {
      const [neighbour] = address.split("/") as [string];
      ip("neigh", "replace", neighbour, "lladdr", MAC[other], "dev", "eth0");
    }
  }
  return hosts;
}

/** Runs a command that must succeed in a namespace. */
export function runIn(namespace: string, ...command: string[]): string {
  return run("ip", "netns", "exec", namespace, ...command);
}
