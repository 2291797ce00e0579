/** The kernel floor: bpf(2) and what belongs to it, without addresses and bare errnos. */
export { BatchCalls } from "./batch-calls.js";
export { isBpffs, mountBpffs, openBeneath } from "./bpffs.js";
export { Btf } from "./btf/btf.js";
export { BtfBuilder, type BtfMemberInit, type BtfTypeInit } from "./btf/btf-builder.js";
export { BtfError } from "./btf/btf-error.js";
export { type BtfInfo, btfBytes, btfGetFdById, btfInfo, btfNextId } from "./btf/btf-objects.js";
export { resolveBtfType, sizeOfBtfType } from "./btf/btf-size.js";
export type * from "./btf/btf-type.js";
export {
  kernelBtfId,
  kernelModulesWithBtf,
  readBtfById,
  readKernelBtf,
  readModuleBtf,
} from "./btf/kernel-btf.js";
export { btfLoad } from "./btf-load.js";
export { onlineCpus, parseCpuList, possibleCpus } from "./cpus.js";
export { ElementCalls, ElementFlag } from "./element-calls.js";
export { type Errno, KernelError } from "./errno.js";
export { closeFd, isMapFd, type MapFdinfo, mapFdinfo } from "./fd.js";
export { bootId, hostNames, isLittleEndian, pageSize } from "./host.js";
export { tryLock } from "./lock.js";
export { type MapCreation, mapCreate } from "./map-create.js";
export { mapFreeze } from "./map-freeze.js";
export { mapGetFdById, mapNextId } from "./map-ids.js";
export { type MapInfo, mapInfo } from "./map-info.js";
export { raiseMemlockIfCharged } from "./memlock.js";
export { objGet, objPin } from "./object-path.js";
export { type Capability, effectiveCapabilities } from "./process-capabilities.js";
