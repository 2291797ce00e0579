import { BpfmapError } from "@bpfmapd/client";
import { status } from "@grpc/grpc-js";
import { beforeAll, describe, expect, it } from "vitest";
import { VERBS } from "#dist/access/index.js";
import { hostServiceRules, mapServiceRules } from "#dist/rpc/gate/rpc-rules.js";
import { EVERY_RPC, type Rpc } from "./support/every-rpc.js";
import {
  type GuardedDaemon,
  guardedDaemon,
  type StagedMap,
  stageMap,
  type TestRule,
} from "./support/guarded-daemon.js";

const RULES = { ...mapServiceRules, ...hostServiceRules };
const RPCS = Object.keys(EVERY_RPC) as Rpc[];

/** CreateMap is asked for a pin and a hold, too; the pipeline for a lookup. */
function verbsOf(rpc: Rpc): readonly string[] {
  const { verbs } = RULES[rpc];
  if (rpc === "pipeline") return RULES.lookupElements.verbs;
  return rpc === "createMap" ? [...verbs, "pin", "hold"] : verbs;
}

/** RPCs of which the name of a map makes no difference to whether they are answered. */
const MAPLESS: readonly Rpc[] = ["listMaps", "getHost", "getCapabilities", "explainAccess"];

/** Errors other than a denial, which these calls end with on the maps of this test. */
const EXPECTED: Partial<Record<Rpc, status>> = { getMapSchema: status.FAILED_PRECONDITION };

const rules: TestRule[] = RPCS.flatMap((rpc) => {
  const verbs = verbsOf(rpc);
  const may = {
    who: `may-${rpc}`,
    verbs: verbs.length > 0 ? verbs : ["list"],
    maps: { names: ["mi_*"] },
  };
  const lacking = verbs.map((verb) => ({
    who: `${rpc}-without-${verb}`,
    verbs: VERBS.filter((other) => other !== verb),
    maps: "all" as const,
  }));
  return [may, ...lacking];
});

let guarded: GuardedDaemon;

beforeAll(async () => {
  guarded = await guardedDaemon(rules);
  return () => guarded.dispose();
});

async function outcome(who: string, rpc: Rpc, map: StagedMap): Promise<status> {
  try {
    await EVERY_RPC[rpc].call(await guarded.as(who), map);
    return status.OK;
  } catch (error) {
    if (!(error instanceof BpfmapError)) throw error;
    if (error.code === status.PERMISSION_DENIED) expect(error.reason).toBe("ACCESS_DENIED");
    return error.code;
  }
}

describe.each(RPCS)("%s", (rpc) => {
  const stage = (prefix: string) => stageMap(guarded, prefix, EVERY_RPC[rpc].kind);

  it("is allowed to whom a rule gives its verbs on the map", async () => {
    expect(await outcome(`may-${rpc}`, rpc, await stage("mi_"))).toBe(EXPECTED[rpc] ?? status.OK);
  });

  it.each(verbsOf(rpc))("is denied to whom no rule gives %s", async (verb) => {
    const denied = await outcome(`${rpc}-without-${verb}`, rpc, await stage("mi_"));
    expect(denied).toBe(status.PERMISSION_DENIED);
  });

  it.skipIf(MAPLESS.includes(rpc))("is denied on a map that no rule chooses", async () => {
    expect(await outcome(`may-${rpc}`, rpc, await stage("ot_"))).toBe(status.PERMISSION_DENIED);
  });

  it("is denied to one whom the policy does not know", async () => {
    expect(await outcome("stranger", rpc, await stage("mi_"))).toBe(status.PERMISSION_DENIED);
  });
});
