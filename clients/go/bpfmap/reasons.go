package bpfmap

import (
	"strings"

	"google.golang.org/grpc/codes"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Reasons of errors, for errors.Is. There is one for each ErrorReason of the contract,
// where they are explained.
var (
	// ErrMapNotExist: there is no map with this id or name; it may have been freed.
	ErrMapNotExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_NOT_FOUND, codes.NotFound, "the map does not exist")
	// ErrPinNotExist: nothing is pinned at this path.
	ErrPinNotExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_PIN_NOT_FOUND, codes.NotFound, "nothing is pinned at this path")
	// ErrHoldNotExist: the daemon has no hold of this name.
	ErrHoldNotExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_HOLD_NOT_FOUND, codes.NotFound, "the hold does not exist")
	// ErrKeyNotExist: the map has no element with this key, or no further key.
	ErrKeyNotExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_ELEMENT_NOT_FOUND, codes.NotFound, "the key does not exist")
	// ErrKeyExist: the key is there, and the update was only to add.
	ErrKeyExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_ELEMENT_EXISTS, codes.AlreadyExists, "the key exists already")
	// ErrPinExist: something is pinned at this path already.
	ErrPinExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_PIN_EXISTS, codes.AlreadyExists, "the pin exists already")
	// ErrHoldExist: a hold of this name keeps another map.
	ErrHoldExist = reason(bpfmapv1.ErrorReason_ERROR_REASON_HOLD_EXISTS, codes.AlreadyExists, "the hold exists already")
	// ErrMapFull: the map has no room for a further element.
	ErrMapFull = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_FULL, codes.ResourceExhausted, "the map is full")
	// ErrMapFrozen: user space can no longer write the map.
	ErrMapFrozen = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_FROZEN, codes.FailedPrecondition, "the map is frozen")
	// ErrKernelDenied: the kernel refused the daemon; the message names what is missing.
	ErrKernelDenied = reason(bpfmapv1.ErrorReason_ERROR_REASON_KERNEL_DENIED, codes.PermissionDenied, "the kernel refused the daemon")
	// ErrNotSupported: this map type does not have this operation on this kernel.
	ErrNotSupported = reason(bpfmapv1.ErrorReason_ERROR_REASON_OPERATION_NOT_SUPPORTED, codes.Unimplemented, "the map does not have this operation")
	// ErrFieldInvalid: a field of the request breaks its rule; see Error.Violations.
	ErrFieldInvalid = reason(bpfmapv1.ErrorReason_ERROR_REASON_FIELD_INVALID, codes.InvalidArgument, "a field is not valid")
	// ErrKeySize: keys are not of the map's key size.
	ErrKeySize = reason(bpfmapv1.ErrorReason_ERROR_REASON_KEY_SIZE_MISMATCH, codes.InvalidArgument, "the key has the wrong size")
	// ErrValueSize: values are not of the map's value size.
	ErrValueSize = reason(bpfmapv1.ErrorReason_ERROR_REASON_VALUE_SIZE_MISMATCH, codes.InvalidArgument, "the value has the wrong size")
	// ErrKeyOutOfRange: an array index past the end, or a prefix longer than the trie's keys.
	ErrKeyOutOfRange = reason(bpfmapv1.ErrorReason_ERROR_REASON_KEY_OUT_OF_RANGE, codes.InvalidArgument, "the key is out of range")
	// ErrCPUOutOfRange: not one of the host's possible CPUs.
	ErrCPUOutOfRange = reason(bpfmapv1.ErrorReason_ERROR_REASON_CPU_OUT_OF_RANGE, codes.InvalidArgument, "the CPU is out of range")
	// ErrNameAmbiguous: several maps have this name; Error.Metadata has their "ids".
	ErrNameAmbiguous = reason(bpfmapv1.ErrorReason_ERROR_REASON_NAME_AMBIGUOUS, codes.FailedPrecondition, "several maps have this name")
	// ErrBootChanged: the host has booted since the id was learnt; see Ref.WithBoot.
	ErrBootChanged = reason(bpfmapv1.ErrorReason_ERROR_REASON_BOOT_ID_MISMATCH, codes.FailedPrecondition, "the host has booted since")
	// ErrPinPathInvalid: not a path that can name a pin.
	ErrPinPathInvalid = reason(bpfmapv1.ErrorReason_ERROR_REASON_PIN_PATH_INVALID, codes.InvalidArgument, "not the path of a pin")
	// ErrPinPathOutsideRoot: the path leads outside the daemon's bpffs roots.
	ErrPinPathOutsideRoot = reason(bpfmapv1.ErrorReason_ERROR_REASON_PIN_PATH_OUTSIDE_ROOT, codes.InvalidArgument, "the path is outside the daemon's roots")
	// ErrNotAMap: what is pinned at this path is no map.
	ErrNotAMap = reason(bpfmapv1.ErrorReason_ERROR_REASON_NOT_A_MAP, codes.InvalidArgument, "the pin is no map's")
	// ErrSpecInvalid: the spec breaks a constraint of its map type.
	ErrSpecInvalid = reason(bpfmapv1.ErrorReason_ERROR_REASON_SPEC_INVALID, codes.InvalidArgument, "the spec is not valid")
	// ErrUnknownFlag: flags that do not exist, or that make no sense here.
	ErrUnknownFlag = reason(bpfmapv1.ErrorReason_ERROR_REASON_UNKNOWN_FLAG, codes.InvalidArgument, "unknown flag")
	// ErrUnknownMapType: the running kernel does not have this map type.
	ErrUnknownMapType = reason(bpfmapv1.ErrorReason_ERROR_REASON_UNKNOWN_MAP_TYPE, codes.Unimplemented, "the kernel does not have this map type")
	// ErrMapIncompatible: the map that is there is not as the spec asks; each
	// difference is a violation.
	ErrMapIncompatible = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_INCOMPATIBLE, codes.FailedPrecondition, "the existing map is another")
	// ErrMapContended: the kernel found the map busy several times in a row; try again.
	ErrMapContended = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_CONTENDED, codes.Aborted, "the map is busy")
	// ErrKernelMemory: the kernel had no memory.
	ErrKernelMemory = reason(bpfmapv1.ErrorReason_ERROR_REASON_KERNEL_MEMORY, codes.ResourceExhausted, "the kernel has no memory")
	// ErrLimitExceeded: more than a limit of the daemon allows; the message names it.
	ErrLimitExceeded = reason(bpfmapv1.ErrorReason_ERROR_REASON_LIMIT_EXCEEDED, codes.ResourceExhausted, "more than the daemon allows")
	// ErrDaemonStopping: the daemon is stopping; try again later.
	ErrDaemonStopping = reason(bpfmapv1.ErrorReason_ERROR_REASON_DAEMON_STOPPING, codes.Unavailable, "the daemon is stopping")
	// ErrKernel: an errno that the daemon does not expect; Error.Metadata has it as "errno".
	ErrKernel = reason(bpfmapv1.ErrorReason_ERROR_REASON_KERNEL_ERROR, codes.Unknown, "unexpected error of the kernel")
	// ErrInternal: a defect of the daemon.
	ErrInternal = reason(bpfmapv1.ErrorReason_ERROR_REASON_INTERNAL, codes.Internal, "a defect of the daemon")
	// ErrFileDescriptors: the daemon or its host has no file descriptor left.
	ErrFileDescriptors = reason(bpfmapv1.ErrorReason_ERROR_REASON_FILE_DESCRIPTORS, codes.ResourceExhausted, "no file descriptor left")
	// ErrResumeTokenInvalid: not a resume token of this host, or not of this watch.
	ErrResumeTokenInvalid = reason(bpfmapv1.ErrorReason_ERROR_REASON_RESUME_TOKEN_INVALID, codes.InvalidArgument, "the resume token is not valid")
	// ErrFidelityNotAvailable: this kernel does not let the daemon see every call.
	ErrFidelityNotAvailable = reason(bpfmapv1.ErrorReason_ERROR_REASON_FIDELITY_NOT_AVAILABLE, codes.FailedPrecondition, "the fidelity is not available")
	// ErrObjectNotFound: there is no such program, cgroup, process, file, socket or interface.
	ErrObjectNotFound = reason(bpfmapv1.ErrorReason_ERROR_REASON_OBJECT_NOT_FOUND, codes.NotFound, "no such program, cgroup, process, file, socket or interface")
	// ErrObjectWrongKind: the kernel object is not of the kind that the map takes.
	ErrObjectWrongKind = reason(bpfmapv1.ErrorReason_ERROR_REASON_OBJECT_WRONG_KIND, codes.InvalidArgument, "not a kernel object of the kind that the map takes")
	// ErrObjectUnsuitable: the kernel object is of the right kind, but the map does not take it now.
	ErrObjectUnsuitable = reason(bpfmapv1.ErrorReason_ERROR_REASON_OBJECT_UNSUITABLE, codes.FailedPrecondition, "not a kernel object that the map takes now")
	// ErrNoTypes: the map has no BTF, and the request names no types.
	ErrNoTypes = reason(bpfmapv1.ErrorReason_ERROR_REASON_NO_TYPES, codes.FailedPrecondition, "the map has no types")
	// ErrTypeNotFound: the type is not in the BTF that was named.
	ErrTypeNotFound = reason(bpfmapv1.ErrorReason_ERROR_REASON_TYPE_NOT_FOUND, codes.InvalidArgument, "no such type")
	// ErrTypeSizeMismatch: the type's size is not that of the map's keys or values.
	ErrTypeSizeMismatch = reason(bpfmapv1.ErrorReason_ERROR_REASON_TYPE_SIZE_MISMATCH, codes.InvalidArgument, "the type has another size")
	// ErrJSONInvalid: not JSON, or not JSON of the type; Error.Violations has the path.
	ErrJSONInvalid = reason(bpfmapv1.ErrorReason_ERROR_REASON_JSON_INVALID, codes.InvalidArgument, "not JSON of the type")
	// ErrRecordTooLarge: the record is larger than the ring can ever take.
	ErrRecordTooLarge = reason(bpfmapv1.ErrorReason_ERROR_REASON_RECORD_TOO_LARGE, codes.InvalidArgument, "the record is too large for the ring")
	// ErrRingFull: the ring has no room, and the call was not to wait.
	ErrRingFull = reason(bpfmapv1.ErrorReason_ERROR_REASON_RING_FULL, codes.ResourceExhausted, "the ring is full")
	// ErrRingBusy: another call of this daemon has the ring.
	ErrRingBusy = reason(bpfmapv1.ErrorReason_ERROR_REASON_RING_BUSY, codes.FailedPrecondition, "the ring is busy")
	// ErrUnauthenticated: the call proves no identity, or its token is not accepted.
	ErrUnauthenticated = reason(bpfmapv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, codes.Unauthenticated, "not authenticated")
	// ErrAccessDenied: no rule of the daemon's policy gives the caller what it asks for.
	ErrAccessDenied = reason(bpfmapv1.ErrorReason_ERROR_REASON_ACCESS_DENIED, codes.PermissionDenied, "access denied by the policy")
	// ErrAuditUnavailable: the daemon changes nothing while it cannot write its audit log.
	ErrAuditUnavailable = reason(bpfmapv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE, codes.Unavailable, "the audit log cannot be written")
	// ErrCallerLimitExceeded: the caller takes up more than its limits allow.
	ErrCallerLimitExceeded = reason(bpfmapv1.ErrorReason_ERROR_REASON_CALLER_LIMIT_EXCEEDED, codes.ResourceExhausted, "a limit of the caller is reached")
	// ErrHoldsUnavailable: the daemon's directory of holds is on no bpffs any more.
	ErrHoldsUnavailable = reason(bpfmapv1.ErrorReason_ERROR_REASON_HOLDS_UNAVAILABLE, codes.FailedPrecondition, "the daemon cannot hold maps")
	// ErrNoHostMatches: no host of the fleet matches the selector.
	ErrNoHostMatches = reason(bpfmapv1.ErrorReason_ERROR_REASON_NO_HOST_MATCHES, codes.NotFound, "no host matches")
	// ErrHostUnreachable: the host has no session with a relay, or lost it under the call.
	ErrHostUnreachable = reason(bpfmapv1.ErrorReason_ERROR_REASON_HOST_UNREACHABLE, codes.Unavailable, "the host cannot be reached")
	// ErrRelayNotTrusted: the peer is no relay that the policy lets speak for others.
	ErrRelayNotTrusted = reason(bpfmapv1.ErrorReason_ERROR_REASON_RELAY_NOT_TRUSTED, codes.PermissionDenied, "the relay is not trusted")
	// ErrHostNotProven: a host registers by an id that its certificate does not have.
	ErrHostNotProven = reason(bpfmapv1.ErrorReason_ERROR_REASON_HOST_NOT_PROVEN, codes.PermissionDenied, "the host's id is not proven")
	// ErrSessionReplaced: the host has registered anew, so that this session of it is over.
	ErrSessionReplaced = reason(bpfmapv1.ErrorReason_ERROR_REASON_SESSION_REPLACED, codes.Aborted, "the session was replaced")
	// ErrSessionProtocol: a session's peer does not keep to the protocol.
	ErrSessionProtocol = reason(bpfmapv1.ErrorReason_ERROR_REASON_SESSION_PROTOCOL, codes.FailedPrecondition, "the session's protocol is broken")
	// ErrStoreUnavailable: the fleet's store does not answer.
	ErrStoreUnavailable = reason(bpfmapv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, codes.Unavailable, "the fleet's store does not answer")
	// ErrMapSetNotFound: the fleet has no map set of this name, or does not keep that generation.
	ErrMapSetNotFound = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_SET_NOT_FOUND, codes.NotFound, "no such map set")
	// ErrGenerationConflict: the map set is at another generation than the request expects.
	ErrGenerationConflict = reason(bpfmapv1.ErrorReason_ERROR_REASON_GENERATION_CONFLICT, codes.Aborted, "the map set is at another generation")
	// ErrMapSetContended: others write to the map set all the time.
	ErrMapSetContended = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_SET_CONTENDED, codes.Aborted, "others write to the map set")
	// ErrMapSetChanged: the contents that were read have been replaced meanwhile.
	ErrMapSetChanged = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_SET_CHANGED, codes.Aborted, "the map set was replaced while it was read")
	// ErrMapSetUnfit: a map has other sizes than its set, or no room for it; only in statuses.
	ErrMapSetUnfit = reason(bpfmapv1.ErrorReason_ERROR_REASON_MAP_SET_UNFIT, codes.FailedPrecondition, "the map set does not fit the map")
	// ErrRolloutNotFound: the map set has no rollout, or not the one that was named.
	ErrRolloutNotFound = reason(bpfmapv1.ErrorReason_ERROR_REASON_ROLLOUT_NOT_FOUND, codes.NotFound, "there is no such rollout")
	// ErrRolloutRunning: the map set is being rolled out, or its hosts are between two generations.
	ErrRolloutRunning = reason(bpfmapv1.ErrorReason_ERROR_REASON_ROLLOUT_RUNNING, codes.FailedPrecondition, "the map set is being rolled out")
	// ErrRolloutNotPossible: what was asked of a rollout does not go with where it is.
	ErrRolloutNotPossible = reason(bpfmapv1.ErrorReason_ERROR_REASON_ROLLOUT_NOT_POSSIBLE, codes.FailedPrecondition, "the rollout is not where that can be done")
)

// reasonError is what the variables above hold. An *Error is one of them where it has
// the same reason.
type reasonError struct {
	name string
	code codes.Code
	text string
}

func (e *reasonError) Error() string { return "bpfmap: " + e.text }

const reasonPrefix = "ERROR_REASON_"

var reasons = map[string]*reasonError{}

func reason(number bpfmapv1.ErrorReason, code codes.Code, text string) error {
	e := &reasonError{name: strings.TrimPrefix(number.String(), reasonPrefix), code: code, text: text}
	reasons[e.name] = e
	return e
}

// reasonName is the name that ErrorInfo.reason has for a reason: "MAP_FULL".
func reasonName(number bpfmapv1.ErrorReason) string {
	return strings.TrimPrefix(number.String(), reasonPrefix)
}
