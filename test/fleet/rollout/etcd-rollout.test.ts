import { beforeAll } from "vitest";
import { rolloutContract } from "../rollout-contract/index.ts";
import { onEtcd, startEtcd, type TestEtcd } from "../support/etcd.ts";

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
  return () => etcd.dispose();
});

rolloutContract(onEtcd(() => etcd));
