import { systemClock } from "../../clock.js";
import type { Store } from "../store.js";
import { EtcdCaller } from "./etcd-caller.js";
import type { EtcdStoreOptions } from "./etcd-options.js";
import { EtcdStore } from "./etcd-store.js";

/**
 * Makes a store on an etcd cluster of version 3.4 or later. Nothing is sent before the first
 * call. Throws INVALID_ARGUMENT for options that contradict each other.
 */
export function openEtcdStore(options: EtcdStoreOptions): Store {
  const { prefix, clock = systemClock } = options;
  return new EtcdStore(new EtcdCaller(options, clock), prefix);
}
