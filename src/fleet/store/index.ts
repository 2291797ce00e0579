/** The fleet's store: one interface, on etcd and embedded. */

export { Compactor, type CompactorOptions } from "./compactor.js";
export { type EmbeddedStoreOptions, openEmbeddedStore } from "./embedded/open-embedded-store.js";
export type { Entry } from "./entry.js";
export type { EtcdStoreOptions, EtcdTls } from "./etcd/etcd-options.js";
export { openEtcdStore } from "./etcd/open-etcd-store.js";
export type { KeptLease } from "./kept-lease.js";
export { ALL_KEYS, hasKey, type KeyRange, keysUnder, oneKey } from "./key-range.js";
export { LIMITS } from "./limits.js";
export { scan } from "./scan.js";
export type * from "./store.js";
export { StoreError, type StoreErrorCode, type StoreErrorDetail } from "./store-error.js";
export * from "./transaction.js";
