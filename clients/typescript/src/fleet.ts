import { create, type DescMethod, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { NumberFieldInit } from "./aggregate.js";
import type { CallOptions } from "./call-options.js";
import type { BpfmapClient } from "./client.js";
import { protocolError } from "./errors.js";
import { FanOut } from "./fan-out.js";
import {
  type FleetAggregate,
  type FleetAggregateOptions,
  fleetAggregateOf,
  fleetAggregateRequest,
} from "./fleet-aggregate.js";
import { FleetWatch, type FleetWatchOptions } from "./fleet-watch.js";
import type { FleetHost } from "./gen/bpfmap/fleet/v1/host_pb.js";
import type { Rollout } from "./gen/bpfmap/fleet/v1/rollout_pb.js";
import type { HostSelectorSchema } from "./gen/bpfmap/fleet/v1/selector_pb.js";
import { MapService } from "./gen/bpfmap/v1/map_service_pb.js";
import { type MapRefInit, mapRef } from "./map-ref.js";
import {
  controlRollout,
  type RolloutControl,
  type RolloutControlOptions,
  type RolloutProgress,
  watchRollout,
} from "./rollout.js";

/** Which hosts: ids, labels and what labels must be; nothing for all of the fleet. */
export type HostSelectorInit = MessageInitShape<typeof HostSelectorSchema>;

/** RPCs that can be made on many hosts. */
export type FanOutRpc = Exclude<keyof typeof MapService.method, "pipeline">;

/** The request of such an RPC. */
export type FanOutRequestInit<K extends FanOutRpc> = MessageInitShape<
  (typeof MapService.method)[K]["input"]
>;

/** The schema of such an RPC's answer. */
export type FanOutAnswer<K extends FanOutRpc> = (typeof MapService.method)[K]["output"];

/** How a call is made on many hosts. */
export interface FanOutOptions extends CallOptions {
  /** Which hosts; all unless given. */
  hosts?: HostSelectorInit;
  /** Hosts that are called at a time. Default 64. */
  concurrency?: number;
  /** Milliseconds that the call may take on each host. Default 30000. */
  hostTimeoutMs?: number;
  /** Milliseconds for all hosts: then those left are skipped. Default: as long as it takes. */
  timeoutMs?: number;
  /** Failures after which no further host is called. Default: no limit. */
  maxFailures?: number;
}

/** What a watcher of hosts is told. */
export type FleetHostEvent =
  | { readonly kind: "host"; readonly host: FleetHost }
  | { readonly kind: "removed"; readonly hostId: string }
  | { readonly kind: "synced"; readonly hosts: number };

/**
 * The hosts of a fleet, by a client that is connected to one of its relays:
 *
 *     const fleet = new Fleet(connect({ address: "relay.example.org:7443", tls }));
 *     const { results } = await fleet.fanOut("lookupElements", request).all();
 */
export class Fleet {
  readonly #client: BpfmapClient;

  /** @param client of a relay, or of a daemon that is a fleet of its own */
  constructor(client: BpfmapClient) {
    this.#client = client;
  }

  /** Hosts that match, by id. Fails with BpfmapError. */
  async hosts(selector: HostSelectorInit = {}, options?: CallOptions): Promise<FleetHost[]> {
    const found: FleetHost[] = [];
    let pageToken = "";
    do {
      const page = await this.#client.fleet.listHosts({ selector, pageToken }, options);
      found.push(...page.hosts);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  /**
   * All hosts that match, then "synced", then what changes of them. Ends with BpfmapError where
   * the relay is gone: watch anew.
   */
  async *watchHosts(
    selector: HostSelectorInit = {},
    options?: CallOptions,
  ): AsyncGenerator<FleetHostEvent, void> {
    for await (const { event } of this.#client.fleet.watchHosts({ selector }, options)) {
      if (event.case === "host") yield { kind: "host", host: event.value };
      if (event.case === "removedHostId") yield { kind: "removed", hostId: event.value };
      if (event.case === "synced") yield { kind: "synced", hosts: event.value.hosts };
    }
  }

  /**
   * Makes one call of MapService on every host that matches. Each decides by its own policy.
   *
   * @param rpc the RPC's name, such as "lookupElements"
   * @param request its request; an array of them for RPCs that take a stream
   */
  fanOut<K extends FanOutRpc>(
    rpc: K,
    request: FanOutRequestInit<K> | readonly FanOutRequestInit<K>[],
    options: FanOutOptions = {},
  ): FanOut<FanOutAnswer<K>> {
    const { hosts = {}, concurrency = 0, hostTimeoutMs, timeoutMs, maxFailures, ...call } = options;
    const method: DescMethod = MapService.method[rpc];
    const requests = Array.isArray(request) ? request : [request];
    const responses = this.#client.fleet.fanOut(
      {
        ...{ selector: hosts, concurrency },
        requests: requests.map((one) => packed(method, one)),
        ...(hostTimeoutMs !== undefined && { hostTimeout: durationFromMs(hostTimeoutMs) }),
        ...(timeoutMs !== undefined && { timeout: durationFromMs(timeoutMs) }),
        ...(maxFailures !== undefined && { maxFailures }),
      },
      call,
    );
    return new FanOut(method.output as FanOutAnswer<K>, responses);
  }

  /**
   * Folds numbers of a map's elements over every host that matches: each folds its own, the relay
   * folds hosts. Hosts that do not answer are told in the coverage.
   *
   * @param map best named by a pin, a name or a hold: ids are of one host
   */
  async aggregate(
    map: MapRefInit,
    fields: readonly NumberFieldInit[],
    options: FleetAggregateOptions = {},
  ): Promise<FleetAggregate> {
    const request = fleetAggregateRequest(mapRef(map), fields, options);
    for await (const answer of this.#client.fleet.aggregate(request, options)) {
      return fleetAggregateOf(answer);
    }
    throw protocolError("the relay has told no answer");
  }

  /** As {@link aggregate}, again and again, with what was counted in between, until the loop is left. */
  async *aggregates(
    map: MapRefInit,
    fields: readonly NumberFieldInit[],
    intervalMs: number,
    options: FleetAggregateOptions = {},
  ): AsyncGenerator<FleetAggregate, void> {
    const request = fleetAggregateRequest(mapRef(map), fields, options, intervalMs);
    for await (const answer of this.#client.fleet.aggregate(request, options)) {
      yield fleetAggregateOf(answer);
    }
  }

  /**
   * Watches a map on every host that matches, as hosts come and go.
   *
   * @param map best named by a pin, a name or a hold: ids are of one host
   */
  watch(map: MapRefInit, options?: FleetWatchOptions): FleetWatch {
    return new FleetWatch(
      mapRef(map),
      (request, call) => this.#client.fleet.watchFleet(request, call),
      options,
    );
  }

  /** A map set's last rollout, and how its hosts are doing. Fails with BpfmapError. */
  async rollout(mapSet: string, options?: CallOptions): Promise<RolloutProgress> {
    for await (const progress of watchRollout(this.#client, mapSet, true, options)) return progress;
    throw protocolError("the relay has told no rollout");
  }

  /**
   * The same, now and whenever something of it changes, until the rollout has ended. Ends with
   * BpfmapError where the relay is gone: watch anew.
   */
  watchRollout(mapSet: string, options?: CallOptions): AsyncGenerator<RolloutProgress, void> {
    return watchRollout(this.#client, mapSet, false, options);
  }

  /**
   * Pauses, resumes, aborts or rolls back a map set's last rollout; may be repeated. Fails with
   * BpfmapError, such as ROLLOUT_NOT_POSSIBLE.
   */
  controlRollout(
    mapSet: string,
    control: RolloutControl,
    options?: RolloutControlOptions,
  ): Promise<Rollout> {
    return controlRollout(this.#client, mapSet, control, options);
  }
}

function packed(method: DescMethod, request: MessageInitShape<DescMethod["input"]>) {
  const value: Uint8Array = toBinary(method.input, create(method.input, request));
  return { typeUrl: `type.googleapis.com/${method.input.typeName}`, value };
}
