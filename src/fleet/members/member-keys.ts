import { z } from "zod";

/** Hosts, sessions and relays stand below this in the store. */
export const MEMBERS = "members/";
/** A host's registration, kept for a while after its session: a FleetHost, serialized. */
export const HOSTS = `${MEMBERS}host/`;
/** Where a host has its session now: goes with the relay's lease. */
export const SESSIONS = `${MEMBERS}session/`;
/** A relay that lives: goes with its lease. */
export const RELAYS = `${MEMBERS}relay/`;

const sessionForm = z.object({ relay: z.string(), session: z.string() });
const relayForm = z.object({ address: z.string() });

/** Where a host has its session. */
export type SessionRecord = z.infer<typeof sessionForm>;
/** A relay, and where the other relays reach it; "" for nowhere. */
export type RelayRecord = z.infer<typeof relayForm>;

export function writeRecord(record: SessionRecord | RelayRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record), "utf8");
}

export function readSession(value: Uint8Array): SessionRecord {
  return sessionForm.parse(JSON.parse(Buffer.from(value).toString("utf8")));
}

export function readRelay(value: Uint8Array): RelayRecord {
  return relayForm.parse(JSON.parse(Buffer.from(value).toString("utf8")));
}
