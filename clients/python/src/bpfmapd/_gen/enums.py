"""Generated from proto/ by scripts/generate.py: the enums of the contract."""

from bpfmapd._enum import OpenEnum, OpenFlag

__all__ = [
    "Availability",
    "ByteOrder",
    "Comparison",
    "CpuFold",
    "CreateFlag",
    "DriftAction",
    "ErrorReason",
    "FieldFold",
    "Format",
    "FullRing",
    "IfExists",
    "IncompleteReason",
    "KeyKind",
    "Liveness",
    "LoadStrategy",
    "LossReason",
    "MapOperation",
    "MapType",
    "NumberType",
    "OnError",
    "OnRecreate",
    "Ownership",
    "Projection",
    "RecordStart",
    "ResyncReason",
    "RolloutGate",
    "RolloutPhase",
    "RolloutStanding",
    "RolloutWait",
    "SchemaKind",
    "SingleCpuWrite",
    "UpdateMode",
    "ValueKind",
    "Verb",
    "WatchFidelity",
    "WatchSource",
    "WatchStart",
    "WriterKind",
]


class Liveness(OpenEnum):
    """Whether a host can be reached."""

    UNSPECIFIED = 0
    """Not known."""
    CONNECTED = 1
    """It has a session with a relay."""
    LOST = 2
    """It has none: it is down, cut off, or on its way to another relay. Forgotten after a day."""


class Ownership(OpenEnum):
    """What becomes of elements of a map that its set does not have."""

    UNSPECIFIED = 0
    """Same as EXCLUSIVE."""
    EXCLUSIVE = 1
    """They are removed: the map has what the set has."""
    MERGE = 2
    """Only those are removed that the set had in an earlier generation. What others have put
    into the map stays.
    """
    ADDITIVE = 3
    """None is ever removed."""


class DriftAction(OpenEnum):
    """What a host does about changes that others make to elements of a set."""

    UNSPECIFIED = 0
    """Same as REPAIR."""
    REPAIR = 1
    """It writes the set's elements again."""
    REPORT = 2
    """It only tells: MapSetStatus.missing, changed and extra."""


class RolloutPhase(OpenEnum):
    """Where a rollout is."""

    UNSPECIFIED = 0
    """Not known."""
    APPLYING = 1
    """Hosts of the wave are being changed."""
    BAKING = 2
    """All of the wave are done, and are looked at."""
    ROLLING_BACK = 3
    """Hosts go back."""
    COMPLETED = 4
    """It has ended: all hosts are to have the generation."""
    ROLLED_BACK = 5
    """It has ended: all hosts are to have the generation before."""
    ABORTED = 6
    """It was ended: each host is to have what it was told last."""


class RolloutWait(OpenEnum):
    """What a rollout waits for that has not ended."""

    UNSPECIFIED = 0
    """Nothing: it has ended."""
    PAUSED = 1
    """It was paused, by someone or by a gate."""
    NO_HOST_MATCHES = 2
    """The set's selector matches no host."""
    NO_HOST_REACHABLE = 3
    """None of the hosts can be reached."""
    APPLYING = 4
    """Hosts were told and are not done."""
    UNREACHABLE = 5
    """More hosts than may be are out of reach since they were told."""
    NO_HOST_DONE = 6
    """All hosts that were told have failed or are out of reach, within the bounds."""
    COUNTER_UNKNOWN = 7
    """Numbers of counter gates are not known."""
    BAKING = 8
    """The bake time passes."""
    ROLLING_BACK = 9
    """Hosts are not back yet."""


class RolloutGate(OpenEnum):
    """A gate that stops a rollout."""

    UNSPECIFIED = 0
    """Not known."""
    FAILURES = 1
    """RolloutPlan.max_failures."""
    UNREACHABLE = 2
    """RolloutPlan.max_unreachable."""
    DRIFT = 3
    """RolloutPlan.max_drifted."""
    COUNTER = 4
    """RolloutPlan.counters."""
    PROGRESS = 5
    """RolloutPlan.progress_timeout."""


class RolloutStanding(OpenEnum):
    """How a host is doing in a rollout."""

    UNSPECIFIED = 0
    """Not known."""
    WAITING = 1
    """It was not told of the generation."""
    PENDING = 2
    """It was told, and is not done."""
    DONE = 3
    """It has the generation; in a rollback, the one before."""
    FAILED = 4
    """It could not apply it, and tries again by itself."""
    UNREACHABLE = 5
    """It was told, and cannot be reached now."""


class NumberType(OpenEnum):
    """Types of whole numbers."""

    UNSPECIFIED = 0
    """No type: never valid in a request."""
    U8 = 1
    """1 byte, unsigned."""
    U16 = 2
    """2 bytes, unsigned."""
    U32 = 3
    """4 bytes, unsigned."""
    U64 = 4
    """8 bytes, unsigned."""
    I8 = 5
    """1 byte, signed."""
    I16 = 6
    """2 bytes, signed."""
    I32 = 7
    """4 bytes, signed."""
    I64 = 8
    """8 bytes, signed."""


class Availability(OpenEnum):
    """Whether the running kernel has something."""

    UNSPECIFIED = 0
    """Not known."""
    AVAILABLE = 1
    """The kernel accepted it when the daemon tried."""
    UNAVAILABLE = 2
    """The kernel does not have it."""
    DENIED = 3
    """The kernel refused the daemon, so it cannot tell: a capability is missing."""


class MapOperation(OpenEnum):
    """An operation of user space on a map."""

    UNSPECIFIED = 0
    """No operation."""
    LOOKUP = 1
    """Read a value by key (for queues and stacks: peek; for bloom filters: test)."""
    UPDATE = 2
    """Write a value by key (for queues and stacks: push; for bloom filters: add)."""
    DELETE = 3
    """Delete an element by key."""
    NEXT_KEY = 4
    """Walk the keys one by one."""
    LOOKUP_AND_DELETE = 5
    """Read and delete in one step (for queues and stacks: pop)."""
    LOOKUP_BATCH = 6
    """Read many elements in one call."""
    UPDATE_BATCH = 7
    """Write many elements in one call."""
    DELETE_BATCH = 8
    """Delete many elements in one call."""
    LOOKUP_AND_DELETE_BATCH = 9
    """Read and delete many elements in one call."""
    FREEZE = 10
    """Forbid user space to write the map from then on."""


class SingleCpuWrite(OpenEnum):
    """How one CPU's slot of a per-CPU element is written."""

    UNSPECIFIED = 0
    """Not a per-CPU type."""
    KERNEL = 1
    """By the kernel (BPF_F_CPU): other slots are not touched."""
    READ_MODIFY_WRITE = 2
    """By reading, changing and writing back the whole element."""


class KeyKind(OpenEnum):
    """How the keys of a map type look to user space."""

    UNSPECIFIED = 0
    """Not known."""
    BYTES = 1
    """Any bytes."""
    INDEX = 2
    """A u32 index in the host's byte order, below max_entries."""
    PREFIX = 3
    """A u32 prefix length in the host's byte order, then big-endian data."""
    NONE = 4
    """The map has no keys."""
    OBJECT = 5
    """A kernel object (socket, inode, task, cgroup): an fd for the kernel."""


class ValueKind(OpenEnum):
    """How the values of a map type look to user space."""

    UNSPECIFIED = 0
    """Not known."""
    BYTES = 1
    """Any bytes."""
    PER_CPU = 2
    """One slot of any bytes per possible CPU."""
    OBJECT = 3
    """A kernel object (program, map, socket, device): an fd when written, an id when read, or
    not readable.
    """
    MEMORY = 4
    """Memory or records: no elements."""


class Format(OpenEnum):
    """How elements stand in an answer. A request is free to use either form for keys and for
    values, whatever it asks for. JSON follows the types of the map's BTF
    (MapService.GetMapSchema): structs and unions as objects, arrays as arrays, integers up to
    32 bits as numbers, wider ones and pointers as strings in decimal, bools as true and
    false, enumerations as their names (as integers where none fits), floats as numbers
    ("NaN", "Infinity", "-Infinity" as strings), long doubles as strings with the hexadecimal
    number of their bits, arrays of `char` as strings where they are printable ASCII that ends
    in zeros, a byte that BTF calls a character (BTF_INT_CHAR) as a string of one character.
    Members of anonymous structs and unions stand in their parent. A data section (.data,
    .bss, .rodata) is an object of its variables; of several with one name the second is
    "name#2", and so on. What has no type is an array of its bytes as numbers, but the index
    of an array a number. A request may write an integer of any width as a number or as a
    string, in decimal or (in a string) hexadecimal, and text in any array of `char` that has
    the room for it. Where it leaves out a member, its bytes are zero; of a union it may give
    several members that agree in their bytes. One unknown or repeated name, one number out of
    range or one array of another length refuses the request: INVALID_ARGUMENT JSON_INVALID
    with the path of the field. Values of per-CPU maps are an array with one value for each of
    Map.cpus; with a CpuView or a CpuTarget, one value. Encoding what was decoded gives the
    same bytes, except for padding, which becomes zero, bools other than 0 and 1, which become
    1, and the bits of a NaN.
    """

    UNSPECIFIED = 0
    """Same as BYTES."""
    BYTES = 1
    """Bytes, in Elements.keys and Elements.values."""
    JSON = 2
    """JSON, in Elements.json_keys and Elements.json_values. FAILED_PRECONDITION NO_TYPES where
    the map has no BTF and Typing names no types. The text of a value that is not there (a key
    in failures) is empty.
    """
    BYTES_AND_JSON = 3
    """Both, for those who show both."""


class UpdateMode(OpenEnum):
    """Whether an update may add or change an element: the kernel's BPF_ANY, BPF_NOEXIST and
    BPF_EXIST.
    """

    UNSPECIFIED = 0
    """Same as ANY."""
    ANY = 1
    """Add the element or change its value."""
    NOEXIST = 2
    """Only add: ALREADY_EXISTS ELEMENT_EXISTS where the key is there. Elements of arrays always
    exist.
    """
    EXIST = 3
    """Only change: NOT_FOUND ELEMENT_NOT_FOUND where the key is not there."""


class OnError(OpenEnum):
    """What happens when the kernel refuses one element of several."""

    UNSPECIFIED = 0
    """Same as STOP."""
    STOP = 1
    """The call ends at the first refused element with that element's status. ErrorInfo.metadata
    has "index" (of the refused element) and "applied" (the number of elements done before it,
    which stay done).
    """
    CONTINUE = 2
    """The call goes on and answers OK, with each refused element in `failures`."""


class Comparison(OpenEnum):
    """How a field compares with a constant."""

    UNSPECIFIED = 0
    """No comparison."""
    EQUAL = 1
    """It is equal."""
    NOT_EQUAL = 2
    """It is not equal."""
    LESS = 3
    """It is less."""
    LESS_OR_EQUAL = 4
    """It is less or equal."""
    GREATER = 5
    """It is greater."""
    GREATER_OR_EQUAL = 6
    """It is greater or equal."""


class FieldFold(OpenEnum):
    """How a field of a per-CPU value is folded over the CPUs. Sums do not wrap."""

    UNSPECIFIED = 0
    """Same as SUM."""
    SUM = 1
    """The sum."""
    MIN = 2
    """The least."""
    MAX = 3
    """The greatest."""


class Projection(OpenEnum):
    """Which columns to send."""

    UNSPECIFIED = 0
    """Same as KEYS_AND_VALUES."""
    KEYS_AND_VALUES = 1
    """Keys and values."""
    KEYS = 2
    """Keys only: Elements.values is empty."""
    VALUES = 3
    """Values only: Elements.keys is empty."""


class CpuFold(OpenEnum):
    """How the slots of a per-CPU value are folded into one value of value_size bytes. Words are
    in the host's byte order; value_size must be a multiple of the word. Sums wrap around.
    """

    UNSPECIFIED = 0
    """Do not fold: every slot is sent."""
    SUM_U32 = 1
    """Sum of each u32 word over the CPUs."""
    SUM_U64 = 2
    """Sum of each u64 word over the CPUs."""
    MAX_U32 = 3
    """Largest of each u32 word over the CPUs."""
    MAX_U64 = 4
    """Largest of each u64 word over the CPUs."""


class ErrorReason(OpenEnum):
    """Why a call failed. Every error of the service is a google.rpc.Status with an ErrorInfo
    whose domain is "bpfmapd" and whose reason is one of these names without the prefix
    ("MAP_FULL"); INVALID_ARGUMENT adds a BadRequest that names the field. ErrorInfo.metadata
    carries what a program can use: "map", "operation", "errno", "index", "applied" and so on.
    ElementFailure.reason, which has neither status nor message, means the same: the status is
    the one that its comment here begins with.
    """

    UNSPECIFIED = 0
    """No reason given."""
    MAP_NOT_FOUND = 1
    """NOT_FOUND: no map with this id or name; it may have been freed."""
    PIN_NOT_FOUND = 2
    """NOT_FOUND: nothing is pinned at this path."""
    HOLD_NOT_FOUND = 3
    """NOT_FOUND: the daemon has no hold of this name."""
    ELEMENT_NOT_FOUND = 4
    """NOT_FOUND: the map has no element with this key (ENOENT)."""
    ELEMENT_EXISTS = 5
    """ALREADY_EXISTS: the key is there and the mode was NOEXIST (EEXIST)."""
    PIN_EXISTS = 6
    """ALREADY_EXISTS: something is pinned at this path already."""
    HOLD_EXISTS = 7
    """ALREADY_EXISTS: a hold of this name keeps another map."""
    MAP_FULL = 8
    """RESOURCE_EXHAUSTED: the map has no room for a further element (E2BIG, ENOSPC)."""
    MAP_FROZEN = 9
    """FAILED_PRECONDITION: the map was frozen; user space can no longer write it."""
    KERNEL_DENIED = 10
    """PERMISSION_DENIED: the kernel refused the daemon (EPERM, EACCES); the message names the
    capability that is missing, where one is.
    """
    OPERATION_NOT_SUPPORTED = 11
    """UNIMPLEMENTED: this map type does not have this operation on this kernel."""
    FIELD_INVALID = 12
    """INVALID_ARGUMENT: a field breaks its rule; see BadRequest."""
    KEY_SIZE_MISMATCH = 13
    """INVALID_ARGUMENT: the keys are not a whole number of keys of the map's size."""
    VALUE_SIZE_MISMATCH = 14
    """INVALID_ARGUMENT: the values are not as many values of the map's stride as there are
    elements.
    """
    KEY_OUT_OF_RANGE = 15
    """INVALID_ARGUMENT: an array index past max_entries, or a prefix longer than the trie's
    keys.
    """
    CPU_OUT_OF_RANGE = 16
    """INVALID_ARGUMENT: not one of the host's possible CPUs."""
    NAME_AMBIGUOUS = 17
    """FAILED_PRECONDITION: several maps have this name. Metadata "ids" lists the 50 lowest of
    their ids at most, separated by commas; the message tells how many there are, and 20 ids
    at most. ListMaps with filter.name_glob lists all.
    """
    BOOT_ID_MISMATCH = 18
    """FAILED_PRECONDITION: the host has booted since the id was learnt."""
    PIN_PATH_INVALID = 19
    """INVALID_ARGUMENT: not a path that can name a pin (relative, not normal, a dot in the last
    part, or not on a bpffs).
    """
    PIN_PATH_OUTSIDE_ROOT = 20
    """INVALID_ARGUMENT: the path leads outside the daemon's bpffs roots."""
    NOT_A_MAP = 21
    """INVALID_ARGUMENT: what is pinned at this path is no map."""
    SPEC_INVALID = 22
    """INVALID_ARGUMENT: the spec breaks a constraint of its map type."""
    UNKNOWN_FLAG = 23
    """INVALID_ARGUMENT: flags that do not exist, or that make no sense here."""
    UNKNOWN_MAP_TYPE = 24
    """UNIMPLEMENTED: the running kernel does not have this map type."""
    MAP_INCOMPATIBLE = 25
    """FAILED_PRECONDITION: the existing map is not as the spec asks; each difference is a field
    violation.
    """
    MAP_CONTENDED = 26
    """ABORTED: the kernel found the map busy several times in a row (EBUSY, EDEADLK, ETIMEDOUT,
    EAGAIN); try again.
    """
    KERNEL_MEMORY = 27
    """RESOURCE_EXHAUSTED: the kernel had no memory (ENOMEM)."""
    LIMIT_EXCEEDED = 28
    """RESOURCE_EXHAUSTED: more than a limit of the daemon allows; the message names the limit
    and its setting.
    """
    DAEMON_STOPPING = 29
    """UNAVAILABLE: the daemon is stopping; try again elsewhere or later."""
    KERNEL_ERROR = 30
    """UNKNOWN: an errno that the daemon does not expect here; metadata "errno"."""
    INTERNAL = 31
    """INTERNAL: a defect of the daemon."""
    FILE_DESCRIPTORS = 32
    """RESOURCE_EXHAUSTED: the daemon or the host has no file descriptor left (EMFILE, ENFILE)."""
    RESUME_TOKEN_INVALID = 33
    """INVALID_ARGUMENT: not a resume token of this host, or not of this request."""
    FIDELITY_NOT_AVAILABLE = 34
    """FAILED_PRECONDITION: this kernel does not let the daemon see every call; the message says
    why.
    """
    OBJECT_NOT_FOUND = 35
    """NOT_FOUND: no such program, cgroup, process, file, socket or interface."""
    OBJECT_WRONG_KIND = 36
    """INVALID_ARGUMENT: the object is not of the kind that the map takes (a pin that is no
    program, an fd that is no socket, a cgroup of version 1).
    """
    OBJECT_UNSUITABLE = 37
    """FAILED_PRECONDITION: the object is of the right kind, but not one that this map takes now:
    a program of another type than the map's, an inner map that is not like the template, a
    socket that is not connected.
    """
    NO_TYPES = 38
    """FAILED_PRECONDITION: the map has no BTF, and the request names no types."""
    TYPE_NOT_FOUND = 39
    """INVALID_ARGUMENT: the type is not in the BTF that was named."""
    TYPE_SIZE_MISMATCH = 40
    """INVALID_ARGUMENT: the type's size is not that of the map's keys or values."""
    JSON_INVALID = 41
    """INVALID_ARGUMENT: not JSON, or not JSON of the type; BadRequest names the field
    ("elements.json_values[3]") and its description the path inside the JSON.
    """
    RECORD_TOO_LARGE = 42
    """INVALID_ARGUMENT: a record is larger than the ring can ever take."""
    RING_FULL = 43
    """RESOURCE_EXHAUSTED: the ring has no room and FULL_RING_FAIL was asked for."""
    RING_BUSY = 44
    """FAILED_PRECONDITION: another call of this daemon writes this ring, or reads other slots of
    this perf event array.
    """
    UNAUTHENTICATED = 45
    """UNAUTHENTICATED: the call proves no identity, or its bearer token is not accepted."""
    ACCESS_DENIED = 46
    """PERMISSION_DENIED: no rule of the daemon's policy gives the caller what it asks for.
    Metadata: "caller", "identities" (of the policy, separated by commas), "verb", and where a
    map comes into it "map", as the request named it.
    """
    AUDIT_UNAVAILABLE = 47
    """UNAVAILABLE: the daemon cannot write its audit log, and is set to change nothing without
    it.
    """
    CALLER_LIMIT_EXCEEDED = 48
    """RESOURCE_EXHAUSTED: the caller has more calls a second, calls at a time, watches, bytes or
    maps than its limits allow; metadata "limit". With a google.rpc.RetryInfo where it is
    enough to wait.
    """
    HOLDS_UNAVAILABLE = 49
    """FAILED_PRECONDITION: the daemon's directory of holds is on no bpffs any more, so that a
    hold would end with the daemon; metadata "path". Mount the bpffs again.
    """
    NO_HOST_MATCHES = 50
    """NOT_FOUND: no host of the fleet matches the selector; metadata "hosts" tells how many
    there are.
    """
    HOST_UNREACHABLE = 51
    """UNAVAILABLE: the host has no session with a relay, or lost it under the call; metadata
    "host".
    """
    RELAY_NOT_TRUSTED = 52
    """PERMISSION_DENIED: the peer is no relay that the policy lets speak for others."""
    HOST_NOT_PROVEN = 53
    """PERMISSION_DENIED: a host registers by an id that its certificate does not have."""
    SESSION_REPLACED = 54
    """ABORTED: the host has registered anew, so that this session of it is over."""
    SESSION_PROTOCOL = 55
    """FAILED_PRECONDITION: a session's peer speaks no version of the protocol that is known
    here, or does not keep to it.
    """
    STORE_UNAVAILABLE = 56
    """UNAVAILABLE: the fleet's store does not answer; try again later."""
    MAP_SET_NOT_FOUND = 60
    """NOT_FOUND: the fleet has no map set of this name, or does not keep that generation of it."""
    GENERATION_CONFLICT = 61
    """ABORTED: the map set is at another generation than the request expects; metadata
    "generation" tells which, 0 for none. Read it anew.
    """
    MAP_SET_CONTENDED = 62
    """ABORTED: others write to the map set all the time; try again."""
    MAP_SET_CHANGED = 63
    """ABORTED: the contents that were read have been replaced meanwhile; begin anew."""
    MAP_SET_UNFIT = 64
    """FAILED_PRECONDITION: a map has other sizes than its set, or no room for it. Only in
    MapSetStatus.
    """
    ROLLOUT_NOT_FOUND = 65
    """NOT_FOUND: the map set has no rollout, or not the one that was named."""
    ROLLOUT_RUNNING = 66
    """FAILED_PRECONDITION: the map set is being rolled out, or its hosts are between two
    generations: wait, roll it back or abort it, as the message says.
    """
    ROLLOUT_NOT_POSSIBLE = 67
    """FAILED_PRECONDITION: what was asked of a rollout does not go with where it is."""


class ByteOrder(OpenEnum):
    """Order of the bytes of numbers in keys and values."""

    UNSPECIFIED = 0
    """Not known."""
    LITTLE_ENDIAN = 1
    """Least significant byte first."""
    BIG_ENDIAN = 2
    """Most significant byte first."""


class Verb(OpenEnum):
    """What can be done to a map. Which RPC needs which is told in docs/security.md."""

    UNSPECIFIED = 0
    """No verb: never valid in a request."""
    LIST = 1
    """See that the map is there, and what the kernel tells of it."""
    READ = 2
    """Read elements."""
    WATCH = 3
    """Watch elements change."""
    WRITE = 4
    """Add and change elements."""
    DELETE = 5
    """Remove elements."""
    CREATE = 6
    """Create the map."""
    PIN = 7
    """Pin and unpin the map."""
    HOLD = 8
    """Hold and release the map."""
    FREEZE = 9
    """Freeze the map."""
    CONSUME = 10
    """Take what the map gives only once: values of queues and stacks, records of rings."""
    ADMIN = 11
    """Ask about other callers."""


class MapType(OpenEnum):
    """The kernel's map types; numbers are those of `enum bpf_map_type` in
    include/uapi/linux/bpf.h. Which of them the running kernel has, and what each can do
    there, is answered by HostService.GetCapabilities.
    """

    UNSPECIFIED = 0
    """No type: never a valid value in a request."""
    HASH = 1
    """Hash table (3.19)."""
    ARRAY = 2
    """Array indexed by u32 (3.19); every element always exists."""
    PROG_ARRAY = 3
    """Array of programs for tail calls (4.2)."""
    PERF_EVENT_ARRAY = 4
    """Array of perf events (4.3)."""
    PERCPU_HASH = 5
    """Hash table with one value slot per possible CPU (4.6)."""
    PERCPU_ARRAY = 6
    """Array with one value slot per possible CPU (4.6)."""
    STACK_TRACE = 7
    """Stack traces by id (4.6)."""
    CGROUP_ARRAY = 8
    """Array of cgroup v2 directories (4.8)."""
    LRU_HASH = 9
    """Hash table that evicts the least recently used elements (4.10)."""
    LRU_PERCPU_HASH = 10
    """LRU hash with one value slot per possible CPU (4.10)."""
    LPM_TRIE = 11
    """Longest-prefix-match trie (4.11); the key is a u32 prefix length in the host's byte order
    followed by big-endian data.
    """
    ARRAY_OF_MAPS = 12
    """Array of maps (4.12)."""
    HASH_OF_MAPS = 13
    """Hash table of maps (4.12)."""
    DEVMAP = 14
    """Array of network devices (4.14)."""
    SOCKMAP = 15
    """Array of sockets (4.14)."""
    CPUMAP = 16
    """Array of CPUs for XDP redirection (4.15)."""
    XSKMAP = 17
    """Array of AF_XDP sockets (4.18)."""
    SOCKHASH = 18
    """Hash table of sockets (4.18)."""
    CGROUP_STORAGE = 19
    """Storage per cgroup and attach type (4.19, deprecated by the kernel)."""
    REUSEPORT_SOCKARRAY = 20
    """Array of SO_REUSEPORT sockets (4.19)."""
    PERCPU_CGROUP_STORAGE = 21
    """CGROUP_STORAGE with one slot per possible CPU (4.20, deprecated)."""
    QUEUE = 22
    """First-in first-out queue of values (4.20); it has no keys."""
    STACK = 23
    """Last-in first-out stack of values (4.20); it has no keys."""
    SK_STORAGE = 24
    """Storage per socket (5.2)."""
    DEVMAP_HASH = 25
    """Hash table of network devices (5.4)."""
    STRUCT_OPS = 26
    """Kernel operations implemented by programs (5.6)."""
    RINGBUF = 27
    """Ring buffer from programs to user space (5.8)."""
    INODE_STORAGE = 28
    """Storage per inode (5.10)."""
    TASK_STORAGE = 29
    """Storage per task (5.11)."""
    BLOOM_FILTER = 30
    """Bloom filter of values (5.16); it has no keys."""
    USER_RINGBUF = 31
    """Ring buffer from user space to programs (6.1)."""
    CGRP_STORAGE = 32
    """Storage per cgroup (6.2)."""
    ARENA = 33
    """Sparse memory shared with programs (6.9)."""
    INSN_ARRAY = 34
    """Array of instruction offsets (6.19)."""
    RHASH = 35
    """Resizable hash table."""


class CreateFlag(OpenFlag):
    """Bits of MapSpec.flags and Map.flags: the kernel's BPF_F_* create flags with their own
    values, to be combined with OR.
    """

    UNSPECIFIED = 0
    """No flag."""
    NO_PREALLOC = 1
    """BPF_F_NO_PREALLOC: elements are allocated when they are added."""
    NO_COMMON_LRU = 2
    """BPF_F_NO_COMMON_LRU: one LRU list per CPU; max_entries is rounded up to a multiple of the
    possible CPUs.
    """
    NUMA_NODE = 4
    """BPF_F_NUMA_NODE: memory comes from MapSpec.numa_node."""
    RDONLY = 8
    """BPF_F_RDONLY: concerns one fd only, so the daemon refuses it."""
    WRONLY = 16
    """BPF_F_WRONLY: concerns one fd only, so the daemon refuses it."""
    STACK_BUILD_ID = 32
    """BPF_F_STACK_BUILD_ID: stack traces hold build id and offset."""
    ZERO_SEED = 64
    """BPF_F_ZERO_SEED: the hash seed is zero; for tests only."""
    RDONLY_PROG = 128
    """BPF_F_RDONLY_PROG: programs may only read."""
    WRONLY_PROG = 256
    """BPF_F_WRONLY_PROG: programs may only write."""
    CLONE = 512
    """BPF_F_CLONE: socket storage follows an accepted socket."""
    MMAPABLE = 1024
    """BPF_F_MMAPABLE: the values can be mapped into memory."""
    PRESERVE_ELEMS = 2048
    """BPF_F_PRESERVE_ELEMS: perf events outlive the fd that stored them."""
    INNER_MAP = 4096
    """BPF_F_INNER_MAP: as an inner map, max_entries may differ from the template."""
    LINK = 8192
    """BPF_F_LINK: a struct_ops map attached by a link."""
    PATH_FD = 16384
    """BPF_F_PATH_FD: concerns pin and get only, never creation."""
    VTYPE_BTF_OBJ_FD = 32768
    """BPF_F_VTYPE_BTF_OBJ_FD: the value type lies in a module's BTF."""
    TOKEN_FD = 65536
    """BPF_F_TOKEN_FD: created with a token; the daemon refuses it."""
    SEGV_ON_FAULT = 131072
    """BPF_F_SEGV_ON_FAULT: an arena raises SIGSEGV instead of allocating a page."""
    NO_USER_CONV = 262144
    """BPF_F_NO_USER_CONV: an arena does not convert user addresses."""
    RB_OVERWRITE = 524288
    """BPF_F_RB_OVERWRITE: a full ring buffer overwrites its oldest records."""


class IfExists(OpenEnum):
    """What CreateMap does where the pin path or the hold's name is taken."""

    UNSPECIFIED = 0
    """Same as ERROR."""
    ERROR = 1
    """Fail with PIN_EXISTS or HOLD_EXISTS."""
    REUSE_COMPATIBLE = 2
    """Answer with the existing map, if it is as the spec asks (type, sizes, flags, max_entries
    and map_extra; not the name); fail with MAP_INCOMPATIBLE otherwise. initial_elements are
    not written then. Where both a pin and a hold are asked for and one of them exists, the
    other is made for the same map.
    """


class IncompleteReason(OpenEnum):
    """Why a dump is not complete."""

    UNSPECIFIED = 0
    """It is complete."""
    MAX_ELEMENTS = 1
    """max_elements was reached and there are more."""
    RESTARTS = 2
    """The map changed so fast that the kernel sent the walk back to the start too often."""
    DEDUP_MEMORY = 3
    """The kernel walks this type key by key, and the keys already sent no longer fit into the
    memory that the daemon allows for telling duplicates (limits.dedup_memory_bytes).
    """


class LoadStrategy(OpenEnum):
    """What a load makes of the elements that the map has already."""

    UNSPECIFIED = 0
    """Same as MERGE."""
    MERGE = 1
    """Write the stream's elements and leave all others."""
    REPLACE = 2
    """Make the map's contents equal to the stream: elements are added and changed while the
    stream comes (unchanged ones are not written), and elements that are not in the stream are
    removed when it has ended. Elements of arrays cannot be removed and are set to zero. Where
    a full map has no room for an addition, the daemon keeps it until the removals have made
    room. Needs memory on the host for the map's keys and values
    (limits.replace_memory_bytes).
    """
    REPLACE_ATOMIC = 3
    """`map` is an ARRAY_OF_MAPS or HASH_OF_MAPS: fill a new inner map with the stream and put it
    into the slot of outer_key in one update, so that programs see the old contents or the new
    ones and never a mixture. The new map is like the one in the slot, or where the slot is
    empty like another inner map of `map`: FAILED_PRECONDITION OBJECT_UNSUITABLE where there
    is none. The map that was in the slot is left to those who hold it. cpu_target counts for
    the inner map.
    """


class RecordStart(OpenEnum):
    """Where a stream of records begins."""

    UNSPECIFIED = 0
    """Same as BUFFERED."""
    BUFFERED = 1
    """With what the ring holds already, where this is the first subscriber; later ones begin
    with what comes after they joined.
    """
    NOW = 2
    """With what is written from now on. A first subscriber throws away what the ring holds."""


class LossReason(OpenEnum):
    """Why records are lost."""

    UNSPECIFIED = 0
    """Not known."""
    SLOW_READER = 1
    """This subscriber read too slowly for its queue_bytes."""
    RING_FULL = 2
    """The kernel's ring was full, so the daemon never had them: for PERF_EVENT_ARRAY, as the
    kernel counts them. A RINGBUF refuses a record to its program and counts nothing.
    """
    TOO_LARGE = 3
    """The record is larger than any message of the daemon (Host.max_message_bytes)."""


class FullRing(OpenEnum):
    """What a write does where a ring has no room."""

    UNSPECIFIED = 0
    """Same as WAIT."""
    WAIT = 1
    """Wait until a program has drained it, for as long as the call may last."""
    FAIL = 2
    """End the call: RESOURCE_EXHAUSTED RING_FULL. What was written before stays, and "written"
    in the metadata is its number.
    """


class SchemaKind(OpenEnum):
    """What a type is: BTF's kinds (Documentation/bpf/btf.rst) that data can have."""

    UNSPECIFIED = 0
    """Not known, or a kind without data such as a function."""
    INT = 1
    """An integer, a character or a bool."""
    FLOAT = 2
    """A floating-point number."""
    POINTER = 3
    """A pointer; JSON tells its address."""
    ARRAY = 4
    """An array."""
    STRUCT = 5
    """A struct."""
    UNION = 6
    """A union."""
    ENUM = 7
    """An enumeration."""
    TYPEDEF = 8
    """Another name of target_type_id."""
    QUALIFIER = 9
    """A qualified type (const, volatile, restrict, a type tag) of target_type_id."""
    SECTION = 10
    """A data section: variables at offsets, the value of .data, .bss and .rodata maps."""


class WatchStart(OpenEnum):
    """Where a stream begins."""

    UNSPECIFIED = 0
    """Same as SNAPSHOT."""
    SNAPSHOT = 1
    """The map's contents as puts marked `initial`, a bookmark with snapshot_done, then changes."""
    UPDATES = 2
    """Changes only: those that are made after WatchCreated was sent."""


class WatchFidelity(OpenEnum):
    """How much a stream may leave out."""

    UNSPECIFIED = 0
    """Same as LATEST."""
    LATEST = 1
    """The latest value of each key: a slow reader gets the newest of several changes."""
    EVERY_CALL = 2
    """Every update and delete call, in order: FAILED_PRECONDITION FIDELITY_NOT_AVAILABLE where
    this kernel cannot be traced.
    """
    BEST_AVAILABLE = 3
    """EVERY_CALL where it can be had, otherwise LATEST. WatchCreated tells which."""


class OnRecreate(OpenEnum):
    """What a stream does when its map is freed."""

    UNSPECIFIED = 0
    """Same as END."""
    END = 1
    """End after map_gone."""
    FOLLOW = 2
    """Wait for the pin, name or hold to stand for a map again; its contents follow a
    resync(MAP_RECREATED). So do those of another map that the pin or hold is given to while
    this one still lives.
    """


class WatchSource(OpenEnum):
    """What a stream learns changes from. The service's own writes always come at once."""

    UNSPECIFIED = 0
    """Not known."""
    POLL = 1
    """Scans that are compared. A change that is undone between two scans is not seen."""
    TRACE = 2
    """Programs on the kernel's update and delete functions, joined with slower scans for what
    programs write in place.
    """
    SYSCALL = 3
    """A raw tracepoint on system calls: what user space does comes at once, what programs do
    with the next scan.
    """


class WriterKind(OpenEnum):
    """How an element was changed."""

    UNSPECIFIED = 0
    """Not known."""
    SYSCALL = 1
    """By a bpf(2) call of the process."""
    PROGRAM = 2
    """By a program that ran while the process was current."""
    SERVICE = 3
    """By this service, for one of its clients."""


class ResyncReason(OpenEnum):
    """Why a stream starts over."""

    UNSPECIFIED = 0
    """Not known."""
    HISTORY_EXPIRED = 1
    """The history no longer reaches back to the resume token."""
    EPOCH_CHANGED = 2
    """The resume token is of another run of the daemon, or another boot."""
    MAP_RECREATED = 3
    """The pin, name or hold stands for another map."""
    OVERFLOW = 4
    """The reader was slower than the changes that the daemon keeps of a map
    (watch.history_bytes).
    """
    TRACE_LOST = 5
    """The kernel had no room for `lost` traced calls."""
    SCAN_INCOMPLETE = 6
    """A scan could not be complete, so deletes could not be told."""
