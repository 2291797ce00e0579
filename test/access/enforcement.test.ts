import { execFileSync } from "node:child_process";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { MapType, Verb, type WatchResponse } from "@bpfmapd/client/proto";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type GuardedDaemon,
  guardedDaemon,
  KEY,
  type StagedMap,
  stageMap,
  type TestRule,
  VALUE,
} from "./support/guarded-daemon.js";

const denied = expect.objectContaining({
  code: status.PERMISSION_DENIED,
  reason: "ACCESS_DENIED",
});

async function guard(...args: Parameters<typeof guardedDaemon>): Promise<GuardedDaemon> {
  const guarded = await guardedDaemon(...args);
  onTestFinished(() => guarded.dispose());
  return guarded;
}

function reading(maps: TestRule["maps"]): TestRule {
  return { who: "reader", verbs: ["list", "read", "watch"], maps };
}

const byId = ({ id }: StagedMap) => ({ ref: { case: "id", value: id } }) as const;

describe("a policy", () => {
  it("shows in listings what may be seen only, page by page", async () => {
    const guarded = await guard([reading({ names: ["se_*"] })]);
    const seen = [];
    for (let count = 0; count < 3; count++) {
      seen.push((await stageMap(guarded, "se_")).id);
      await stageMap(guarded, "hi_");
    }
    const reader = await guarded.as("reader");
    const listed: number[] = [];
    let pageToken = "";
    do {
      const page = await reader.maps.listMaps({ pageSize: 2, pageToken });
      listed.push(...page.maps.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(seen);
    expect((await reader.maps.listMaps({ filter: { nameGlob: "hi_*" } })).maps).toEqual([]);
  });

  it("goes by a map's pins, labels and holds however it is named", async () => {
    const guarded = await guard([]);
    const { daemon, admin } = guarded;
    const [pinned, held, labelled, other] = [
      await stageMap(guarded, "a"),
      await stageMap(guarded, "b"),
      await stageMap(guarded, "c"),
      await stageMap(guarded, "d"),
    ] as const;
    const path = `${daemon.bpffs}/team/deep/x`;
    await admin.maps.pinMap({ map: byId(labelled), path, createParents: true });
    guarded.setRules(
      [
        { who: "reader", verbs: ["read"], maps: { pins: [pinned.pin] } },
        { who: "holder", verbs: ["read"], maps: { holds: [held.name] } },
        { who: "team", verbs: ["read"], maps: { labels: { team: "one" } } },
      ],
      { labels: [{ folder: `${daemon.bpffs}/team`, labels: { team: "one" } }] },
    );
    const may: [string, StagedMap][] = [
      ["reader", pinned],
      ["holder", held],
      ["team", labelled],
    ];
    for (const [who, map] of may) {
      const client = await guarded.as(who);
      const lookup = (ref: Parameters<BpfmapClient["map"]>[0]) => client.map(ref).lookup(KEY);
      await expect.poll(() => lookup({ id: map.id }).catch(() => undefined)).toEqual(VALUE);
      for (const ref of [{ name: map.name }, { held: map.name }, { pinPath: map.pin }]) {
        expect(await lookup(ref)).toEqual(VALUE);
      }
      await expect(lookup({ id: other.id })).rejects.toEqual(denied);
    }
    await admin.maps.unpinMap({ path });
    await expect
      .poll(async () =>
        (await guarded.as("team"))
          .map({ id: labelled.id })
          .lookup(KEY)
          .catch((e) => e),
      )
      .toEqual(denied);
  });

  it("counts of maps that share a name only those that may be used", async () => {
    const guarded = await guard([reading({ holds: ["mine"] })]);
    const { admin } = guarded;
    const name = (await stageMap(guarded, "same")).name;
    const spec = { type: MapType.HASH, name, keySize: 4, valueSize: 8, maxEntries: 1 };
    const { map } = await admin.maps.createMap({ spec, hold: { name: "mine" } });
    const reader = await guarded.as("reader");
    expect((await reader.map({ name }).get()).id).toBe(map?.id);
    await expect(admin.map({ name }).get()).rejects.toMatchObject({ reason: "NAME_AMBIGUOUS" });
    await admin.maps.releaseMap({ name: "mine" });
    await expect
      .poll(() =>
        reader
          .map({ name })
          .get()
          .catch((error) => error),
      )
      .toEqual(denied);
  });

  it("asks for the place of a new map, pin or hold too", async () => {
    const guarded = await guard([]);
    const { daemon } = guarded;
    guarded.setRules([
      {
        who: "maker",
        verbs: ["create", "pin", "hold"],
        maps: { names: ["ok_*"], pins: [`${daemon.bpffs}/own/*`] },
      },
      { who: "maker", verbs: ["create", "hold"], maps: { holds: ["own-*"] } },
    ]);
    const maker = await guarded.as("maker");
    const spec = { type: MapType.HASH, name: "ok_1", keySize: 4, valueSize: 8, maxEntries: 1 };
    const create = (name: string, place: { pinPath?: string; hold?: { name: string } }) =>
      maker.maps.createMap({ spec: { ...spec, name }, createParents: true, ...place });
    await expect
      .poll(() => create("ok_1", { pinPath: `${daemon.bpffs}/own/a` }).catch((error) => error))
      .toMatchObject({ created: true });
    await expect(create("no_1", { pinPath: `${daemon.bpffs}/own/b` })).rejects.toEqual(denied);
    await expect(create("ok_2", { pinPath: `${daemon.bpffs}/b` })).rejects.toEqual(denied);
    await expect(create("ok_2", { hold: { name: "theirs" } })).rejects.toEqual(denied);
    const { map } = await create("any", { hold: { name: "own-1" } });
    const elsewhere = {
      map: { ref: { case: "id", value: map!.id } },
      hold: { name: "x" },
    } as const;
    await expect(maker.maps.holdMap(elsewhere)).rejects.toEqual(denied);
  });

  it("is asked for the inner maps that a request names or a dump reaches", async () => {
    const guarded = await guard([
      { who: "outer", verbs: ["read", "write", "list"], maps: { names: ["outer"] } },
    ]);
    const { admin } = guarded;
    const inner = await stageMap(guarded, "inner");
    const spec = {
      type: MapType.HASH_OF_MAPS,
      name: "outer",
      keySize: 4,
      valueSize: 4,
      maxEntries: 4,
    };
    const { map } = await admin.maps.createMap({
      spec: { ...spec, innerMap: byId(inner) },
      hold: { name: "outer" },
    });
    const id = map!.id;
    const put = (client: BpfmapClient) =>
      client.maps.updateElements({
        map: { ref: { case: "id", value: id } },
        elements: {
          count: 1,
          keys: KEY,
          objectValues: [{ object: { case: "map", value: byId(inner) } }],
        },
      });
    const outer = await guarded.as("outer");
    await expect(put(outer)).rejects.toEqual(denied);
    await put(admin);
    const dump = async (client: BpfmapClient) => {
      const messages = [];
      const request = { map: { ref: { case: "id", value: id } }, recursive: true } as const;
      for await (const message of client.maps.dumpMap(request)) messages.push(message.kind.case);
      return messages;
    };
    await expect(dump(outer)).rejects.toEqual(denied);
    expect((await dump(admin)).filter((kind) => kind === "summary")).toHaveLength(2);
  });

  it("says who may not do what to which map, and which rule would allow it", async () => {
    const guarded = await guard([reading({ names: ["se_*"] })]);
    const map = await stageMap(guarded, "se_");
    const reader = await guarded.as("reader");
    await expect(reader.map({ name: map.name }).update(KEY, VALUE)).rejects.toMatchObject({
      message: expect.stringContaining(
        `token of reader may not write any map: no rule gives it; one with identities: [reader], verbs: [write]`,
      ),
      metadata: { caller: "token of reader", identities: "reader", verb: "write" },
    });
    const hidden = await stageMap(guarded, "hi_");
    await expect(reader.map({ name: hidden.name }).lookup(KEY)).rejects.toMatchObject({
      message: expect.stringContaining(
        `token of reader may not read the map named "${hidden.name}": no rule gives it; one with ` +
          `identities: [reader], verbs: [read], maps: {names: ["${hidden.name}"]} would`,
      ),
    });
    // By its id a caller has not learnt its name, and does not by the error.
    const error = await reader
      .map({ id: hidden.id })
      .lookup(KEY)
      .catch((thrown) => thrown);
    expect(error).toEqual(denied);
    expect(JSON.stringify([error.message, error.metadata])).not.toContain(hidden.name);
  });

  it("explains itself, and others to those who may administrate", async () => {
    const guarded = await guard([reading({ names: ["se_*"] })]);
    const map = await stageMap(guarded, "se_");
    const reader = await guarded.as("reader");
    const ask = (
      client: BpfmapClient,
      verb: Verb,
      caller?: { uid?: number; sans?: string[]; claimsJson?: string },
    ) => client.host.explainAccess({ verb, map: byId(map), ...(caller && { caller }) });
    expect(await ask(reader, Verb.READ)).toMatchObject({
      ...{ allowed: true, enforced: true, caller: "token of reader" },
      ...{ identities: ["reader"], rule: "of-reader" },
    });
    expect(await ask(reader, Verb.DELETE)).toMatchObject({
      ...{ allowed: false, rule: "" },
      explanation: expect.stringContaining("verbs: [delete]"),
    });
    const asReader = { claimsJson: '{"sub": "reader"}' };
    await expect(ask(reader, Verb.READ, asReader)).rejects.toEqual(denied);
    expect((await ask(guarded.admin, Verb.READ, asReader)).allowed).toBe(true);
    expect((await ask(guarded.admin, Verb.READ, { uid: 0 })).allowed).toBe(false);
  });
});

describe("a change of the policy", () => {
  it("ends the streams that it does not allow, and leaves the others", async () => {
    const guarded = await guard([reading({ names: ["se_*"] })]);
    const [kept, lost] = [await stageMap(guarded, "se_k"), await stageMap(guarded, "se_l")];
    const reader = await guarded.as("reader");
    const watch = (map: StagedMap) => reader.maps.watch({ map: byId(map) })[Symbol.asyncIterator]();
    const drain = async (stream: AsyncIterator<WatchResponse>) => {
      for (;;) if ((await stream.next()).done) return;
    };
    const [keeping, losing] = [watch(kept), watch(lost)];
    await Promise.all([keeping.next(), losing.next()]);
    guarded.setRules([reading({ names: ["se_k*"] })]);
    await expect(drain(losing)).rejects.toEqual(denied);
    await guarded.admin.map({ id: kept.id }).update(KEY, Buffer.alloc(8, 9));
    for (let found = false; !found; ) {
      const { value } = (await keeping.next()) as { value: WatchResponse };
      if (value.kind.case === "events") found = value.kind.value.puts?.values[0] === 9;
    }
    await keeping.return?.();
  });

  it("that is no policy leaves the one before in force, and is told in the log", async () => {
    const guarded = await guard([reading("all")], { logLevel: "error" });
    const map = await stageMap(guarded, "se_");
    const reader = await guarded.as("reader");
    guarded.setRules([{ who: "reader", verbs: ["fly"], maps: "all" }]);
    await expect
      .poll(() => guarded.daemon.logs)
      .toContainEqual(expect.objectContaining({ setting: "access.policy", level: "error" }));
    expect(await reader.map({ id: map.id }).lookup(KEY)).toEqual(VALUE);
  });
});

describe("who calls", () => {
  it("is told on a unix socket by the kernel, group by group", async () => {
    const guarded = await guard([], {
      policy: {
        identities: {
          admin: [{ claims: { sub: "admin" } }],
          users: [{ uid: ["1000-1999"], gid: [4242] }],
        },
        rules: [
          { identities: ["admin"], verbs: "all", maps: "all" },
          { identities: ["users"], verbs: ["list"], maps: "all" },
        ],
      },
      args: ["--socket-mode", "0666", "--socket-directory-mode", "0755"],
    });
    const { daemon } = guarded;
    // Directories above the command line and the socket may be root's alone.
    const searching = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"];
    const ask = (...as: string[]) => {
      const ctl = `${import.meta.dirname}/../../dist/cli/main.js`;
      const command = ["--address", `unix:${daemon.socket}`, "-j", "auth", "can-i", "list"];
      try {
        const run = ["setpriv", ...as, ...searching, process.execPath, ctl, ...command];
        return JSON.parse(execFileSync(run[0]!, run.slice(1), { encoding: "utf8" }));
      } catch (error) {
        return JSON.parse((error as { stdout: string }).stdout);
      }
    };
    expect(ask("--reuid", "1001", "--regid", "1", "--groups", "7,4242")).toMatchObject({
      ...{ allowed: true, caller: "uid 1001", identities: ["users"] },
    });
    expect(ask("--reuid", "1001", "--regid", "1", "--clear-groups")).toHaveProperty("error");
    expect(ask("--reuid", "999", "--regid", "4242", "--clear-groups")).toHaveProperty("error");
  });

  it("is told by a token that is whole, in time, and of a known key", async () => {
    const guarded = await guard([reading("all")]);
    const { issuer, daemon } = guarded;
    const host = async (authorization: string) => {
      const client = connect({ address: `unix:${daemon.socket}` });
      onTestFinished(() => client.close());
      const metadata = new Metadata();
      metadata.set("authorization", authorization);
      return client.host.getHost({}, { metadata });
    };
    const token = await issuer.sign({ sub: "reader" });
    await host(`Bearer ${token}`);
    const unauthenticated = { code: status.UNAUTHENTICATED, reason: "UNAUTHENTICATED" };
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const forged = Buffer.from(JSON.stringify({ sub: "admin", exp: 9_999_999_999 })).toString(
      "base64url",
    );
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    for (const bad of [
      `Bearer ${await issuer.sign({ sub: "reader" }, -60)}`,
      `Bearer ${header}.${forged}.${signature}`,
      `Bearer ${none}.${payload}.`,
      "Bearer x",
      "Basic abc",
      `Bearer ${"x".repeat(5000)}`,
    ]) {
      await expect(host(bad)).rejects.toMatchObject(unauthenticated);
    }
  });

  it("no more when the token of an open stream runs out", async () => {
    const guarded = await guard([reading("all")]);
    const map = await stageMap(guarded, "se_");
    const token = await guarded.issuer.sign({ sub: "reader" }, 2 - CLOCK_TOLERANCE_S);
    const client = connect({ address: `unix:${guarded.daemon.socket}`, token });
    onTestFinished(() => client.close());
    const drain = async () => {
      for await (const _ of client.maps.watch({ map: byId(map) }));
    };
    await expect(drain()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });
});

/** What the daemon allows clocks to differ. */
const CLOCK_TOLERANCE_S = 5;
