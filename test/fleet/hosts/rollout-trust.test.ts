import { join } from "node:path";
import { ControlRolloutRequest_Control as Control } from "@bpfmapd/client/proto";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../../daemon/support/run.js";
import { OWN_STORE } from "../support/fleet.js";
import { specFor } from "../support/map-sets.ts";
import { auditLines, RELAY_POLICY, SecureFleet } from "../support/secure-fleet.js";

it("is controlled by controllers only, and the audit tells who has asked for what", async () => {
  const secure = new SecureFleet(OWN_STORE);
  const audit = join(temporaryDirectory(), "relay.jsonl");
  const fleet = { ...RELAY_POLICY.fleet, controllers: ["controllers"] };
  const args = ["--audit-file", audit];
  const relay = await secure.relay("r1", { policy: { ...RELAY_POLICY, fleet }, args });
  const stranger = await secure.relay("r2");
  const pause = { name: "s", control: Control.PAUSE };
  await expect(secure.client(stranger, "some").fleet.controlRollout(pause)).rejects.toMatchObject({
    reason: "ACCESS_DENIED",
    message: expect.stringContaining("fleet.controllers"),
  });

  const client = secure.client(relay, "some");
  async function* requests() {
    const value = { name: "s", spec: specFor("m"), rollout: {} };
    yield { kind: { case: "start" as const, value } };
  }
  await client.fleet.putMapSet(requests());
  const { rollout } = await client.fleet.controlRollout({ ...pause, message: "wait" });
  const by = "spiffe://test/controller/some";
  expect(rollout?.history.map((step) => [step.what, step.by, step.message])).toEqual([
    ["began", by, "generation 1, wave 1 of 4"],
    ["paused", by, "wait"],
  ]);
  const told = auditLines(audit).filter(({ caller, event }) => caller === by && event !== "begin");
  expect(told).toMatchObject([
    { rpc: "bpfmap.fleet.v1.FleetService/PutMapSet", name: "s", rollout: true, outcome: "OK" },
    { rpc: "bpfmap.fleet.v1.FleetService/ControlRollout", name: "s", control: "PAUSE" },
  ]);
});
