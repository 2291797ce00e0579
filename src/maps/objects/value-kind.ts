import type { MapInfo } from "../../kernel/index.js";
import { MapType } from "../map-type.js";
import type { ObjectValue } from "../object-ref.js";

/** How the values of one map type stand for kernel objects. */
export interface ObjectValues {
  /** What is written; undefined for values that can only be read. */
  readonly written?: Exclude<ObjectValue["kind"], "none" | "stackTrace">;
  /** The kernel takes BPF_ANY only (bpf_fd_array_map_update_elem). */
  readonly anyOnly?: boolean;
  /** Whether the kernel has a way to read a value of this size. */
  readonly isReadable: (valueSize: number) => boolean;
  /** What the kernel means where it refuses an object, by errno. */
  readonly refusals: Readonly<Record<string, string>>;
}

const always = () => true;
const never = () => false;
/** Socket maps tell cookies, which take 8 bytes (sock_map_lookup_sys). */
const ofCookies = (valueSize: number) => valueSize === 8;

const SOCKETS = {
  EOPNOTSUPP:
    "the socket cannot be in this map as it is: TCP must be connected or listening, UDP bound, unix and vsock connected",
  EINVAL: "the kernel does not take this socket as it is",
  EBUSY: "the kernel has the socket in use otherwise",
} as const;

const INNER_MAPS: ObjectValues = {
  written: "map",
  isReadable: always,
  refusals: {
    EINVAL:
      "the map is not like the template of the inner maps: type, sizes, flags and BTF must be the same, and max_entries without INNER_MAP",
    ENOTSUPP: "maps of its kind cannot be inner maps",
  },
};

const DEVICES: ObjectValues = {
  written: "device",
  isReadable: always,
  refusals: {
    EINVAL:
      "the program is no XDP program loaded for devmaps (expected_attach_type BPF_XDP_DEVMAP)",
  },
};

const VALUES: ReadonlyMap<MapType, ObjectValues> = new Map([
  [
    MapType.PROG_ARRAY,
    {
      written: "program",
      anyOnly: true,
      isReadable: always,
      refusals: {
        EINVAL:
          "the program is not like those that the map belongs to: same type, JIT and attach type",
      },
    },
  ],
  [
    MapType.PERF_EVENT_ARRAY,
    {
      written: "perfEvent",
      anyOnly: true,
      isReadable: never,
      refusals: {
        EBADF: "it is no perf event",
        EINVAL:
          "the kernel does not take this kind of perf event: no inherited one, and none that belongs to a task",
      },
    },
  ],
  [
    MapType.CGROUP_ARRAY,
    {
      written: "cgroup",
      anyOnly: true,
      isReadable: never,
      refusals: { EBADF: "it is no cgroup of version 2" },
    },
  ],
  [MapType.ARRAY_OF_MAPS, { ...INNER_MAPS, anyOnly: true }],
  [MapType.HASH_OF_MAPS, INNER_MAPS],
  [MapType.DEVMAP, DEVICES],
  [MapType.DEVMAP_HASH, DEVICES],
  [
    MapType.CPUMAP,
    {
      written: "cpu",
      isReadable: always,
      refusals: {
        ENODEV: "the key is no possible CPU of this host",
        EOVERFLOW: "the queue is larger than 16384 frames",
        EINVAL:
          "the program is no XDP program loaded for cpumaps (expected_attach_type BPF_XDP_CPUMAP)",
      },
    },
  ],
  [
    MapType.XSKMAP,
    {
      written: "socket",
      isReadable: never,
      refusals: {
        EOPNOTSUPP: "the socket is no AF_XDP socket, or has no rings yet",
        EBADF: "the socket is not bound",
      },
    },
  ],
  [MapType.SOCKMAP, { written: "socket", isReadable: ofCookies, refusals: SOCKETS }],
  [MapType.SOCKHASH, { written: "socket", isReadable: ofCookies, refusals: SOCKETS }],
  [
    MapType.REUSEPORT_SOCKARRAY,
    {
      written: "socket",
      isReadable: ofCookies,
      refusals: {
        EINVAL: "the socket has no SO_REUSEPORT, or is not bound (UDP) or listening (TCP) yet",
        ENOTSUPP: "only TCP and UDP sockets can be in this map",
        EBUSY: "the socket is in a map of this type already",
      },
    },
  ],
  [MapType.STACK_TRACE, { isReadable: always, refusals: {} }],
]);

/** How a type's values stand for kernel objects; undefined for values of bytes. */
export function objectValuesOf(type: MapType): ObjectValues | undefined {
  return VALUES.get(type);
}

/** Whether the kernel lets nobody read the values of a map, though it lists the keys. */
export function isUnreadable({ type, valueSize }: Pick<MapInfo, "type" | "valueSize">): boolean {
  const values = VALUES.get(type);
  return values !== undefined && !values.isReadable(valueSize);
}
