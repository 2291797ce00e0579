import { beforeAll } from "vitest";
import { setsContract } from "../sets-contract/index.ts";
import { onEtcd, startEtcd, type TestEtcd } from "../support/etcd.ts";

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
  return () => etcd.dispose();
});

setsContract(onEtcd(() => etcd));
