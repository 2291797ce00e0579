/** The kernel floor: bpf(2) and what belongs to it, without addresses and bare errnos. */

export { ArenaMapMemory } from "./arena-map-memory.js";
export { ArrayMemory } from "./array-memory.js";
export {
  type ArithmeticName,
  Assembler,
  type AtomicName,
  type ComparisonName,
  type LoadSize,
  type Operand,
  type StoreSize,
} from "./assembler/assembler.js";
export { AssemblyError } from "./assembler/assembly-error.js";
export {
  FP,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  type Register,
} from "./assembler/register.js";
export { BatchCalls, type ColumnPlaces } from "./batch-calls.js";
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
export { hasMoreThan, type Restart, restartWithCapabilities } from "./capability-restart.js";
export { onlineCpus, parseCpuList, possibleCpus } from "./cpus.js";
export { sendDatagram } from "./datagram.js";
export { ElementCalls, ElementFlag } from "./element-calls.js";
export { EpollWaiter, type FdWatch } from "./epoll-waiter.js";
export { type Errno, KernelError } from "./errno.js";
export { closeFd, isMapFd, type MapFdinfo, mapFdinfo } from "./fd.js";
export { bootId, hostNames, isLittleEndian, pageSize } from "./host.js";
export { LazyMemory } from "./lazy-memory.js";
export { tryLock } from "./lock.js";
export { type MapCreation, mapCreate } from "./map-create.js";
export { mapFreeze } from "./map-freeze.js";
export { mapGetFdById, mapNextId } from "./map-ids.js";
export { type MapInfo, mapInfo } from "./map-info.js";
export { MappedRegion, type Mapping } from "./mapped-region.js";
export { raiseMemlockIfCharged } from "./memlock.js";
export { cgroup2Mount, cgroup2MountIn, type OpenCgroup, openCgroup } from "./object/cgroup.js";
export { type KernelSymbol, KernelSymbols } from "./object/kernel-symbols.js";
export { interfaceIndex, interfaceName } from "./object/network-interface.js";
export { type ObjectKind, objectKind } from "./object/object-kind.js";
export { type PeerCredentials, peerCredentials } from "./object/peer-credentials.js";
export { openPerfEvent, type PerfEventAttributes } from "./object/perf-event.js";
export { borrowFd, openProcess } from "./object/process-fd.js";
export { type SocketFacts, socketFacts } from "./object/socket-facts.js";
export { objGet, objPin } from "./object-path.js";
export { type Capability, effectiveCapabilities } from "./process-capabilities.js";
export {
  type LinkCreation,
  type LinkInfo,
  LinkType,
  linkCreate,
  linkDetach,
  linkGetFdById,
  linkInfo,
  linkNextId,
} from "./program/link.js";
export { programGetFdById, programNextId } from "./program/program-ids.js";
export { type ProgramInfo, programInfo } from "./program/program-info.js";
export { type ProgramLoad, ProgramLoadError, programLoad } from "./program/program-load.js";
export {
  type ProgramTestResult,
  type ProgramTestRun,
  programTestRun,
} from "./program/program-test-run.js";
export { AttachType, ProgramFlag, ProgramType } from "./program/program-type.js";
export { type RawTracepoint, rawTracepointOpen } from "./program/raw-tracepoint.js";
export { enableRunStatistics } from "./program/run-statistics.js";
export { PerfEventBuffer, type PerfVisitor } from "./ring/perf-event-buffer.js";
export { type RecordVisitor, RingBufferReader } from "./ring/ring-buffer-reader.js";
export { type Reservation, UserRingBufferWriter } from "./ring/user-ring-buffer-writer.js";
export { threadCpuMs } from "./thread-clock.js";
