import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { type Map as BpfMap, CreateFlag, MapType } from "@bpfmapd/client/proto";
import { type DaemonOptions, startDaemon, type TestDaemon } from "../../support/daemon.js";
import { policyFile } from "../../support/policy.js";
import { type TokenIssuer, tokenIssuer } from "./tokens.js";

/** Rules of a policy whose identities are the subjects of tokens. */
export interface TestRule {
  readonly who: string;
  readonly verbs: "all" | readonly string[];
  readonly maps: "all" | object;
}

/** A daemon with a policy, on a unix socket where tokens tell who calls. */
export interface GuardedDaemon {
  readonly daemon: TestDaemon;
  readonly issuer: TokenIssuer;
  /** May do everything. */
  readonly admin: BpfmapClient;
  /** A client whose token has this subject. */
  as(subject: string): Promise<BpfmapClient>;
  /** Puts other rules in force; the daemon takes them within a second. */
  setRules(rules: readonly TestRule[], more?: object): void;
  dispose(): Promise<void>;
}

/** Starts one; dispose of it, also inside a test. */
export async function guardedDaemon(
  rules: readonly TestRule[],
  { policy: more = {}, args = [], ...options }: DaemonOptions & { policy?: object } = {},
): Promise<GuardedDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-guarded-"));
  const issuer = await tokenIssuer(directory);
  const path = policyFile(policyText(rules, more), directory);
  const known = ["--policy", path, "--jwks", issuer.jwksFile];
  const daemon = await startDaemon({ ...options, args: [...known, ...args] });
  const clients: BpfmapClient[] = [];
  const as = async (subject: string) => {
    const token = await issuer.sign({ sub: subject });
    const client = connect({ address: `unix:${daemon.socket}`, token });
    clients.push(client);
    return client;
  };
  return {
    ...{ daemon, issuer, as, admin: await as("admin") },
    setRules: (next, further = more) => writeFileSync(path, policyText(next, further)),
    async dispose() {
      for (const client of clients) client.close();
      await daemon.dispose();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** JSON is YAML. */
function policyText(rules: readonly TestRule[], more: object): string {
  const all = [{ who: "admin", verbs: "all", maps: "all" }, ...rules];
  const identities = Object.fromEntries(all.map(({ who }) => [who, [{ claims: { sub: who } }]]));
  return JSON.stringify({
    version: 1,
    identities,
    rules: all.map(({ who, verbs, maps }) => ({
      name: `of-${who}`,
      identities: [who],
      verbs,
      maps,
    })),
    ...more,
  });
}

/** A map that is held and pinned under its name. */
export interface StagedMap {
  readonly id: number;
  readonly name: string;
  readonly pin: string;
}

const SPECS = {
  hash: { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 16 },
  queue: { type: MapType.QUEUE, keySize: 0, valueSize: 8, maxEntries: 16 },
  ringbuf: { type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: 4096 },
  user_ringbuf: { type: MapType.USER_RINGBUF, keySize: 0, valueSize: 0, maxEntries: 4096 },
  memory: {
    ...{ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 16 },
    flags: CreateFlag.MMAPABLE,
  },
} as const;

export type MapKind = keyof typeof SPECS;

/** Makes a map whose name begins so; it has an element where it has keys, or a value. */
export async function stageMap(
  { admin, daemon }: GuardedDaemon,
  prefix: string,
  kind: MapKind = "hash",
): Promise<StagedMap> {
  const name = `${prefix}${randomBytes(4).toString("hex")}`;
  const pin = `${daemon.bpffs}/${name}`;
  const made = await admin.maps.createMap({
    spec: { ...SPECS[kind], name },
    hold: { name },
    pinPath: pin,
  });
  const { id } = made.map as BpfMap;
  if (kind === "hash") await admin.map({ id }).update(KEY, VALUE);
  const map = { ref: { case: "id", value: id } } as const;
  if (kind === "queue") await admin.maps.pushElements({ map, values: VALUE, count: 1 });
  return { id, name, pin };
}

export const KEY = Uint8Array.of(1, 0, 0, 0);
export const VALUE = new Uint8Array(8).fill(7);
