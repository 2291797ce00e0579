import type { HostPosition, HostPositionSchema, WatchFleetResponse } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { keyOf } from "./fleet-maps.js";

/** What is known of one host. */
interface HostPicture {
  readonly elements: Map<number, bigint>;
  /** Whether its contents are whole. */
  synced: boolean;
  lost: boolean;
  position: Uint8Array | undefined;
  begun: number;
  resumed: number;
}

/** What a controller knows of its fleet that applies what it is told, as docs/fleet.md says. */
export class FleetPicture {
  readonly hosts = new Map<string, HostPicture>();
  readonly log: string[] = [];

  /** The counters of a host. */
  counters(hostId: string): Record<number, bigint> {
    const elements = [...(this.hosts.get(hostId)?.elements ?? [])].sort(([a], [b]) => a - b);
    return Object.fromEntries(elements);
  }

  /** Where it stands, to go on from. */
  get positions(): MessageInitShape<typeof HostPositionSchema>[] {
    return [...this.hosts].flatMap(([hostId, { position }]) =>
      position ? [{ hostId, resumeToken: position } as Omit<HostPosition, "$typeName">] : [],
    );
  }

  apply({ event }: WatchFleetResponse): void {
    switch (event.case) {
      case "begun":
        this.#begin(event.value.hostId, event.value.resumed);
        break;
      case "message":
        this.#message(event.value.hostId, event.value.response!);
        break;
      case "lost":
        this.log.push(`${event.value.hostId} lost`);
        this.#host(event.value.hostId).lost = true;
        break;
      case "left":
        this.log.push(`${event.value.hostId} left`);
        this.hosts.delete(event.value.hostId);
        break;
      case "started":
        this.log.push(`started ${event.value.hosts}`);
        break;
      default:
        throw new Error("an empty event");
    }
  }

  #begin(hostId: string, resumed: boolean): void {
    this.log.push(`${hostId} ${resumed ? "resumed" : "begun"}`);
    const host = this.#host(hostId);
    host.lost = false;
    host.begun++;
    if (resumed) host.resumed++;
    else this.#forget(host);
  }

  #message(
    hostId: string,
    { kind }: Extract<WatchFleetResponse["event"], { case: "message" }>["value"]["response"] & {},
  ): void {
    const host = this.#host(hostId);
    if (kind.case === "resync") {
      this.log.push(`${hostId} resync`);
      this.#forget(host);
    } else if (kind.case === "mapGone") {
      this.log.push(`${hostId} gone`);
      this.#forget(host);
    } else if (kind.case === "bookmark") {
      host.position = kind.value.resumeToken;
      if (kind.value.snapshotDone) host.synced = true;
    } else if (kind.case === "events") {
      const { puts, deletes } = kind.value;
      for (let at = 0; at < (puts?.count ?? 0); at++) {
        const value = Buffer.from(puts!.values).readBigUInt64LE(at * 8);
        host.elements.set(keyOf(puts!.keys.subarray(at * 4)), value);
      }
      for (let at = 0; at < (deletes?.count ?? 0); at++) {
        host.elements.delete(keyOf(deletes!.keys.subarray(at * 4)));
      }
    }
  }

  #forget(host: HostPicture): void {
    host.elements.clear();
    host.synced = false;
    host.position = undefined;
  }

  #host(hostId: string): HostPicture {
    let host = this.hosts.get(hostId);
    if (!host) {
      const position = undefined;
      host = { elements: new Map(), synced: false, lost: false, position, begun: 0, resumed: 0 };
      this.hosts.set(hostId, host);
    }
    return host;
  }
}
