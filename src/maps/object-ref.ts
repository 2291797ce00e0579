import type { MapRef } from "./map-ref.js";

/*
 * How kernel objects are named where the kernel itself wants a file descriptor: the
 * contract's messages of the same names (bpfmap/v1/object.proto).
 */

/** A loaded program. */
export type ProgramRef =
  | { readonly by: "id"; readonly id: number }
  | { readonly by: "pinPath"; readonly pinPath: string };

/** A cgroup of version 2: by its path below the mount of them, or its id. */
export type CgroupRef =
  | { readonly by: "path"; readonly path: string }
  | { readonly by: "id"; readonly id: bigint };

/** A network interface of the daemon's network namespace. */
export type InterfaceRef =
  | { readonly by: "name"; readonly name: string }
  | { readonly by: "index"; readonly index: number };

/** A file that a process has open. */
export interface ProcessFileRef {
  readonly pid: number;
  readonly fd: number;
}

/** A socket; only one named by a process's fd can be written. */
export type SocketRef =
  | { readonly by: "file"; readonly file: ProcessFileRef }
  | { readonly by: "cookie"; readonly cookie: bigint };

/** A perf event that the daemon opens on one CPU; the numbers of `struct perf_event_attr`. */
export interface PerfEventSpec {
  readonly type: number;
  readonly config: bigint;
  readonly cpu: number;
}

/** A perf event: one that a process has, or one to open. */
export type PerfEventRef =
  | { readonly by: "file"; readonly file: ProcessFileRef }
  | { readonly by: "spec"; readonly spec: PerfEventSpec };

/** An entry of DEVMAP and DEVMAP_HASH. */
export interface DeviceValue {
  readonly interface: InterfaceRef;
  /** Only in maps with values of 8 bytes. */
  readonly program?: ProgramRef | undefined;
}

/** An entry of CPUMAP. */
export interface CpuValue {
  /** Frames: 1 to 16384. */
  readonly queueSize: number;
  /** Only in maps with values of 8 bytes. */
  readonly program?: ProgramRef | undefined;
}

/** One frame of a stack trace. */
export interface StackFrame {
  readonly location:
    | { readonly kind: "address"; readonly address: bigint }
    | { readonly kind: "buildId"; readonly buildId: Uint8Array; readonly offset: bigint };
  /** The kernel's symbol that the address lies in, where it is known. */
  readonly symbol?: string | undefined;
  /** Bytes from the symbol's start. */
  readonly symbolOffset?: number | undefined;
  /** The symbol's module; absent for the kernel itself. */
  readonly module?: string | undefined;
}

/** A value that is a kernel object; "none" where an answer cannot say which. */
export type ObjectValue =
  | { readonly kind: "program"; readonly program: ProgramRef }
  | { readonly kind: "map"; readonly map: MapRef }
  | { readonly kind: "cgroup"; readonly cgroup: CgroupRef }
  | { readonly kind: "device"; readonly device: DeviceValue }
  | { readonly kind: "cpu"; readonly cpu: CpuValue }
  | { readonly kind: "socket"; readonly socket: SocketRef }
  | { readonly kind: "perfEvent"; readonly perfEvent: PerfEventRef }
  | { readonly kind: "stackTrace"; readonly frames: readonly StackFrame[] }
  | { readonly kind: "none" };

/** A key that is a kernel object. */
export type ObjectKey =
  | { readonly kind: "socket"; readonly socket: SocketRef }
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "task"; readonly pid: number }
  | { readonly kind: "cgroup"; readonly cgroup: CgroupRef }
  /** Of maps with keys of bytes: CGROUP_STORAGE and PERCPU_CGROUP_STORAGE. */
  | { readonly kind: "attachment"; readonly cgroup: CgroupRef; readonly attachType: number };
