import { beforeAll } from "vitest";
import { storeContract } from "../store-contract/index.ts";
import { onEtcd, startEtcd, type TestEtcd } from "../support/etcd.ts";

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
  return () => etcd.dispose();
});

storeContract(onEtcd(() => etcd));
