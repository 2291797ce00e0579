import type { BpfmapClient } from "@bpfmapd/client";
import {
  type Elements,
  type MapSetSpecSchema,
  type MapSetStatus,
  type MapSetTotals,
  MapType,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TestDaemon } from "../../support/daemon.js";
import { elementsOf } from "../sets-contract/fixture.ts";

export type SpecInit = MessageInitShape<typeof MapSetSpecSchema>;

/** A hash map that a daemon holds. */
export async function holdMap(
  daemon: TestDaemon,
  name: string,
  { maxEntries = 100_000, ...more }: { maxEntries?: number; type?: MapType } = {},
): Promise<number> {
  const { map } = await daemon.client.maps.createMap({
    spec: { type: MapType.HASH, name, keySize: 4, valueSize: 4, maxEntries, ...more },
    hold: { name },
  });
  return map!.id;
}

/** Numbers for the map of this hold on every host. */
export function specFor(held: string, more: Partial<SpecInit> = {}): SpecInit {
  return {
    selector: {},
    target: { map: { ref: { case: "held", value: held } } },
    keySize: 4,
    valueSize: 4,
    ...more,
  } as SpecInit;
}

/** Puts a set, in chunks, by a relay's unix socket. */
export function putSet(relay: TestDaemon, ...put: Put) {
  return putSetBy(relay.client, ...put);
}

type Put = Parameters<typeof putSetBy> extends [unknown, ...infer Rest] ? Rest : never;

/** Puts a set, in chunks. */
export async function putSetBy(
  client: BpfmapClient,
  name: string,
  spec: SpecInit,
  contents: Iterable<readonly [number, number]>,
  expectedGeneration?: bigint,
) {
  const all = [...contents];
  async function* requests() {
    const start = { name, spec, ...(expectedGeneration !== undefined && { expectedGeneration }) };
    yield { kind: { case: "start" as const, value: start } };
    for (let from = 0; from < all.length; from += 10_000) {
      const value = elementsOf(all.slice(from, from + 10_000)) as Elements;
      yield { kind: { case: "elements" as const, value } };
    }
  }
  return client.fleet.putMapSet(requests());
}

/** How a set is in a fleet. */
export interface SetInFleet {
  readonly hosts: ReadonlyMap<string, MapSetStatus>;
  readonly totals: MapSetTotals;
}

/** Waits until a set is in the fleet as it should be. */
export async function untilStatus(
  relay: TestDaemon,
  name: string,
  isRight: (set: SetInFleet) => boolean,
): Promise<SetInFleet> {
  const hosts = new Map<string, MapSetStatus>();
  let last: SetInFleet | undefined;
  try {
    const events = relay.client.fleet.watchMapSetStatus({ name }, { deadlineMs: 30_000 });
    for await (const { event } of events) {
      if (event.case === "status") hosts.set(event.value.hostId, event.value);
      if (event.case === "removedHostId") hosts.delete(event.value);
      if (event.case !== "totals") continue;
      last = { hosts, totals: event.value };
      if (isRight(last)) return last;
    }
  } catch (error) {
    const told = [...hosts.values()].map((status) => ({
      host: status.hostId,
      applied: status.appliedGeneration,
      wanted: status.wantedGeneration,
      error: status.errorMessage,
    }));
    const seen = JSON.stringify({ totals: last?.totals, told }, (_, value) =>
      typeof value === "bigint" ? Number(value) : value,
    );
    throw new Error(`${(error as Error).message}; last seen: ${seen}`, { cause: error });
  }
  throw new Error("the watch has ended");
}

/** Waits until so many hosts have a generation. */
export function untilApplied(relay: TestDaemon, name: string, generation: bigint, hosts: number) {
  return untilStatus(
    relay,
    name,
    ({ totals }) => totals.generation === generation && totals.applied === hosts,
  );
}
