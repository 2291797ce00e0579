"""Errors: one family, BpfmapError, with a class for each reason that a program may act on.

Where Python has an error of the same meaning, the class is one of that as well: a missing
key is a KeyError, a bad argument a ValueError, a daemon that does not answer a
ConnectionError.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Type

import grpc
from google.protobuf.message import DecodeError

from bpfmapd._gen.google_rpc.error_details_pb2 import BadRequest, ErrorInfo
from bpfmapd._gen.google_rpc.status_pb2 import Status

__all__ = [
    "BootIdMismatch",
    "BpfmapError",
    "Cancelled",
    "DaemonStopping",
    "DeadlineExceeded",
    "FidelityNotAvailable",
    "FieldViolation",
    "GenerationConflict",
    "HoldExists",
    "HoldNotFound",
    "HoldsUnavailable",
    "HostUnreachable",
    "InvalidArgument",
    "KernelDenied",
    "KernelError",
    "KernelMemory",
    "KeyExists",
    "KeyNotFound",
    "KeyOutOfRange",
    "LimitExceeded",
    "MapContended",
    "MapFrozen",
    "MapFull",
    "MapIncompatible",
    "MapNotFound",
    "MapSetNotFound",
    "NameAmbiguous",
    "NoHostMatches",
    "NoTypes",
    "NotFound",
    "NotSupported",
    "ObjectNotFound",
    "ObjectUnsuitable",
    "PermissionDenied",
    "PinExists",
    "PinNotFound",
    "ProtocolError",
    "ResumeTokenInvalid",
    "RingBusy",
    "RingFull",
    "SizeMismatch",
    "Unauthenticated",
    "Unavailable",
]

# Trailer in which gRPC carries a serialized google.rpc.Status.
_DETAILS = "grpc-status-details-bin"
# Details of other domains (a proxy's, say) are not the daemon's reasons.
_DOMAIN = "bpfmapd"


class FieldViolation(NamedTuple):
    """A field of a request that breaks its rule."""

    field: str
    """Path of the field as the contract spells it, such as "spec.max_entries"."""
    description: str
    """What is wrong with it."""


class BpfmapError(Exception):
    """What every call of this client fails with.

    It comes from the daemon, from the connection to it, or from the client's own checks
    before anything was sent. The message is for people; `code` and `reason` are for programs.
    Errors of a caller's own code (an iterable given to `load`) are passed on as they are.
    """

    message: str
    """What happened, for people."""
    code: grpc.StatusCode
    """The gRPC status."""
    reason: str
    """Name of an ErrorReason, such as "MAP_FULL"; "" where there is none."""
    metadata: Mapping[str, str]
    """What a program can use: "map", "operation", "errno", "index", "applied" and so on."""
    violations: Tuple[FieldViolation, ...]
    """The fields at fault; empty where the error is not about a field."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Optional[Mapping[str, str]] = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)

    def __str__(self) -> str:
        # KeyError would show the repr of its argument.
        return self.message

    def __reduce__(self) -> Any:
        state = (self.message, self.code, self.reason, self.metadata, self.violations)
        return (_restore, (type(self), *state))

    @staticmethod
    def from_rpc(error: grpc.RpcError, address: str = "") -> BpfmapError:
        """The error of a failed call, with the details that the daemon sent."""
        code, text, trailers = _status_of(error)
        info, violations = _details_of(_status_in(trailers))
        reason = info.reason if info is not None else ""
        message = text or code.name
        if code is grpc.StatusCode.UNAVAILABLE and not reason:
            message = f"no answer from bpfmapd at {address or 'its address'}: {message}"
        made = error_of(
            message,
            code=code,
            reason=reason,
            metadata=dict(info.metadata) if info is not None else {},
            violations=violations,
        )
        made.__cause__ = error
        return made

    @staticmethod
    def from_status(status: bytes) -> BpfmapError:
        """The error in PipelineResponse.error: a serialized google.rpc.Status."""
        parsed = Status.FromString(status)
        code = _CODE_BY_NUMBER.get(parsed.code, grpc.StatusCode.UNKNOWN)
        info, violations = _details_of(parsed)
        return error_of(
            parsed.message or code.name,
            code=code,
            reason=info.reason if info is not None else "",
            metadata=dict(info.metadata) if info is not None else {},
            violations=violations,
        )


class NotFound(BpfmapError):
    """NOT_FOUND: what the call names is not there."""


class KeyNotFound(NotFound, KeyError):
    """ELEMENT_NOT_FOUND: the map has no element with this key."""


class MapNotFound(NotFound):
    """MAP_NOT_FOUND: no map with this id or name; it may have been freed."""


class PinNotFound(NotFound):
    """PIN_NOT_FOUND: nothing is pinned at this path."""


class NoHostMatches(NotFound):
    """NO_HOST_MATCHES: no host of the fleet matches the selector."""


class MapSetNotFound(NotFound):
    """MAP_SET_NOT_FOUND: no map set of this name, or not of that generation."""


class HoldNotFound(NotFound):
    """HOLD_NOT_FOUND: the daemon has no hold of this name."""


class KeyExists(BpfmapError):
    """ELEMENT_EXISTS: the key is there and the mode was NOEXIST."""


class PinExists(BpfmapError, FileExistsError):
    """PIN_EXISTS: something is pinned at this path already."""


class HoldExists(BpfmapError):
    """HOLD_EXISTS: a hold of this name keeps another map."""


class MapFull(BpfmapError):
    """MAP_FULL: the map has no room for a further element."""


class MapFrozen(BpfmapError):
    """MAP_FROZEN: user space can no longer write the map."""


class NameAmbiguous(BpfmapError):
    """NAME_AMBIGUOUS: several maps have this name; metadata "ids" lists them."""


class BootIdMismatch(BpfmapError):
    """BOOT_ID_MISMATCH: the host has booted since the id was learnt."""


class MapIncompatible(BpfmapError):
    """MAP_INCOMPATIBLE: the map that is there differs from the spec; `violations` says where."""


class FidelityNotAvailable(BpfmapError):
    """FIDELITY_NOT_AVAILABLE: this kernel does not let the daemon see every call."""


class ObjectNotFound(NotFound):
    """There is no such program, cgroup, process, file, socket or interface."""


class ObjectUnsuitable(BpfmapError):
    """The kernel object is none that this map takes now."""


class NoTypes(BpfmapError):
    """The map has no types (BTF), and the request names none."""


class RingFull(BpfmapError):
    """The ring has no room for a further record."""


class RingBusy(BpfmapError):
    """Another call of this daemon has the ring."""


class HoldsUnavailable(BpfmapError):
    """The daemon's directory of holds is on no bpffs any more."""


class InvalidArgument(BpfmapError, ValueError):
    """INVALID_ARGUMENT: `violations` names what is at fault. Nothing was changed."""


class SizeMismatch(InvalidArgument):
    """KEY_SIZE_MISMATCH or VALUE_SIZE_MISMATCH: not as many bytes as the map has."""


class KeyOutOfRange(InvalidArgument, IndexError):
    """KEY_OUT_OF_RANGE: an index past max_entries, or a prefix longer than the trie's keys."""


class ResumeTokenInvalid(InvalidArgument):
    """RESUME_TOKEN_INVALID: not a token of this host, or not of this request."""


class PermissionDenied(BpfmapError, PermissionError):
    """PERMISSION_DENIED: the daemon does not let this client do it."""


class KernelDenied(PermissionDenied):
    """KERNEL_DENIED: the kernel refused the daemon; the message names what it lacks."""


class Unauthenticated(BpfmapError):
    """UNAUTHENTICATED: no token or certificate, or not one that the daemon takes."""


class NotSupported(BpfmapError):
    """UNIMPLEMENTED: this map type does not have this operation on this kernel."""


class MapContended(BpfmapError):
    """MAP_CONTENDED: the kernel found the map busy several times in a row; try again."""


class KernelMemory(BpfmapError, MemoryError):
    """KERNEL_MEMORY: the kernel had no memory."""


class LimitExceeded(BpfmapError):
    """RESOURCE_EXHAUSTED: more than a limit allows; the message names it."""


class Unavailable(BpfmapError, ConnectionError):
    """UNAVAILABLE: no answer from the daemon. Whether a write was done is not known."""


class GenerationConflict(BpfmapError):
    """GENERATION_CONFLICT: the map set is at another generation than the request expects."""


class HostUnreachable(Unavailable):
    """HOST_UNREACHABLE: the host has no session with a relay, or lost it under the call."""


class DaemonStopping(Unavailable):
    """DAEMON_STOPPING: the daemon is stopping; try again elsewhere or later."""


class DeadlineExceeded(BpfmapError, TimeoutError):
    """DEADLINE_EXCEEDED: the call took too long. Whether a write was done is not known."""


class Cancelled(BpfmapError):
    """CANCELLED: the call was ended, or its client was closed."""


class KernelError(BpfmapError):
    """KERNEL_ERROR: an errno that the daemon does not expect here; metadata "errno"."""


class ProtocolError(BpfmapError):
    """The daemon did not keep to the contract, or a stream was cut before its end."""


_Kind = Tuple[Type[BpfmapError], grpc.StatusCode]
_CODE = grpc.StatusCode

_BY_REASON: Dict[str, _Kind] = {
    "MAP_NOT_FOUND": (MapNotFound, _CODE.NOT_FOUND),
    "PIN_NOT_FOUND": (PinNotFound, _CODE.NOT_FOUND),
    "HOLD_NOT_FOUND": (HoldNotFound, _CODE.NOT_FOUND),
    "ELEMENT_NOT_FOUND": (KeyNotFound, _CODE.NOT_FOUND),
    "ELEMENT_EXISTS": (KeyExists, _CODE.ALREADY_EXISTS),
    "PIN_EXISTS": (PinExists, _CODE.ALREADY_EXISTS),
    "HOLD_EXISTS": (HoldExists, _CODE.ALREADY_EXISTS),
    "MAP_FULL": (MapFull, _CODE.RESOURCE_EXHAUSTED),
    "MAP_FROZEN": (MapFrozen, _CODE.FAILED_PRECONDITION),
    "KERNEL_DENIED": (KernelDenied, _CODE.PERMISSION_DENIED),
    "OPERATION_NOT_SUPPORTED": (NotSupported, _CODE.UNIMPLEMENTED),
    "UNKNOWN_MAP_TYPE": (NotSupported, _CODE.UNIMPLEMENTED),
    "KEY_SIZE_MISMATCH": (SizeMismatch, _CODE.INVALID_ARGUMENT),
    "VALUE_SIZE_MISMATCH": (SizeMismatch, _CODE.INVALID_ARGUMENT),
    "KEY_OUT_OF_RANGE": (KeyOutOfRange, _CODE.INVALID_ARGUMENT),
    "FIELD_INVALID": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "CPU_OUT_OF_RANGE": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "PIN_PATH_INVALID": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "PIN_PATH_OUTSIDE_ROOT": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "NOT_A_MAP": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "SPEC_INVALID": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "UNKNOWN_FLAG": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "RESUME_TOKEN_INVALID": (ResumeTokenInvalid, _CODE.INVALID_ARGUMENT),
    "NAME_AMBIGUOUS": (NameAmbiguous, _CODE.FAILED_PRECONDITION),
    "BOOT_ID_MISMATCH": (BootIdMismatch, _CODE.FAILED_PRECONDITION),
    "MAP_INCOMPATIBLE": (MapIncompatible, _CODE.FAILED_PRECONDITION),
    "FIDELITY_NOT_AVAILABLE": (FidelityNotAvailable, _CODE.FAILED_PRECONDITION),
    "OBJECT_NOT_FOUND": (ObjectNotFound, _CODE.NOT_FOUND),
    "OBJECT_WRONG_KIND": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "OBJECT_UNSUITABLE": (ObjectUnsuitable, _CODE.FAILED_PRECONDITION),
    "NO_TYPES": (NoTypes, _CODE.FAILED_PRECONDITION),
    "TYPE_NOT_FOUND": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "TYPE_SIZE_MISMATCH": (SizeMismatch, _CODE.INVALID_ARGUMENT),
    "JSON_INVALID": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "RECORD_TOO_LARGE": (InvalidArgument, _CODE.INVALID_ARGUMENT),
    "RING_FULL": (RingFull, _CODE.RESOURCE_EXHAUSTED),
    "RING_BUSY": (RingBusy, _CODE.FAILED_PRECONDITION),
    "HOLDS_UNAVAILABLE": (HoldsUnavailable, _CODE.FAILED_PRECONDITION),
    "MAP_CONTENDED": (MapContended, _CODE.ABORTED),
    "KERNEL_MEMORY": (KernelMemory, _CODE.RESOURCE_EXHAUSTED),
    "LIMIT_EXCEEDED": (LimitExceeded, _CODE.RESOURCE_EXHAUSTED),
    "FILE_DESCRIPTORS": (LimitExceeded, _CODE.RESOURCE_EXHAUSTED),
    "UNAUTHENTICATED": (Unauthenticated, _CODE.UNAUTHENTICATED),
    "ACCESS_DENIED": (PermissionDenied, _CODE.PERMISSION_DENIED),
    "AUDIT_UNAVAILABLE": (Unavailable, _CODE.UNAVAILABLE),
    "CALLER_LIMIT_EXCEEDED": (LimitExceeded, _CODE.RESOURCE_EXHAUSTED),
    "DAEMON_STOPPING": (DaemonStopping, _CODE.UNAVAILABLE),
    "KERNEL_ERROR": (KernelError, _CODE.UNKNOWN),
    "INTERNAL": (ProtocolError, _CODE.INTERNAL),
    "NO_HOST_MATCHES": (NoHostMatches, _CODE.NOT_FOUND),
    "HOST_UNREACHABLE": (HostUnreachable, _CODE.UNAVAILABLE),
    "RELAY_NOT_TRUSTED": (PermissionDenied, _CODE.PERMISSION_DENIED),
    "HOST_NOT_PROVEN": (PermissionDenied, _CODE.PERMISSION_DENIED),
    "SESSION_REPLACED": (BpfmapError, _CODE.ABORTED),
    "SESSION_PROTOCOL": (ProtocolError, _CODE.FAILED_PRECONDITION),
    "STORE_UNAVAILABLE": (Unavailable, _CODE.UNAVAILABLE),
    "MAP_SET_NOT_FOUND": (MapSetNotFound, _CODE.NOT_FOUND),
    "GENERATION_CONFLICT": (GenerationConflict, _CODE.ABORTED),
    "MAP_SET_CONTENDED": (BpfmapError, _CODE.ABORTED),
    "MAP_SET_CHANGED": (BpfmapError, _CODE.ABORTED),
    "MAP_SET_UNFIT": (BpfmapError, _CODE.FAILED_PRECONDITION),
    "ROLLOUT_NOT_FOUND": (NotFound, _CODE.NOT_FOUND),
    "ROLLOUT_RUNNING": (BpfmapError, _CODE.FAILED_PRECONDITION),
    "ROLLOUT_NOT_POSSIBLE": (BpfmapError, _CODE.FAILED_PRECONDITION),
}

_CODE_BY_NUMBER: Dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_BY_CODE: Dict[grpc.StatusCode, Type[BpfmapError]] = {
    _CODE.NOT_FOUND: NotFound,
    _CODE.INVALID_ARGUMENT: InvalidArgument,
    _CODE.PERMISSION_DENIED: PermissionDenied,
    _CODE.UNAUTHENTICATED: Unauthenticated,
    _CODE.UNIMPLEMENTED: NotSupported,
    _CODE.RESOURCE_EXHAUSTED: LimitExceeded,
    _CODE.UNAVAILABLE: Unavailable,
    _CODE.DEADLINE_EXCEEDED: DeadlineExceeded,
    _CODE.CANCELLED: Cancelled,
    _CODE.ABORTED: MapContended,
    _CODE.INTERNAL: ProtocolError,
    _CODE.DATA_LOSS: ProtocolError,
}


def error_of(
    message: str,
    *,
    code: grpc.StatusCode,
    reason: str = "",
    metadata: Optional[Mapping[str, str]] = None,
    violations: Sequence[FieldViolation] = (),
) -> BpfmapError:
    """An error of the class that its reason, or else its status, stands for."""
    kind = _BY_REASON.get(reason)
    made = kind[0] if kind is not None else _BY_CODE.get(code, BpfmapError)
    return made(message, code=code, reason=reason, metadata=metadata, violations=violations)


def element_error(reason: str, index: int, map_name: str) -> BpfmapError:
    """The error of one refused element of several, of which the daemon tells the reason only."""
    _, code = _BY_REASON.get(reason, (BpfmapError, _CODE.UNKNOWN))
    what = {
        "ELEMENT_NOT_FOUND": "there is no element with this key",
        "ELEMENT_EXISTS": "the key is there already",
        "MAP_FULL": "the map is full",
    }.get(reason, f"the element was refused: {reason}")
    return error_of(f"{map_name}: {what}", code=code, reason=reason, metadata={"index": str(index)})


def invalid(message: str, field: str = "", reason: str = "FIELD_INVALID") -> BpfmapError:
    """An error of the client's own checks: nothing was sent."""
    violations = [FieldViolation(field, message)] if field else []
    return error_of(message, code=_CODE.INVALID_ARGUMENT, reason=reason, violations=violations)


def _restore(
    made: Type[BpfmapError],
    message: str,
    code: grpc.StatusCode,
    reason: str,
    metadata: Mapping[str, str],
    violations: Sequence[FieldViolation],
) -> BpfmapError:
    return made(message, code=code, reason=reason, metadata=metadata, violations=violations)


def _status_of(error: grpc.RpcError) -> Tuple[grpc.StatusCode, str, Dict[str, Any]]:
    """Code, text and trailers; the two faces of grpc have them under the same names."""
    code = error.code() if hasattr(error, "code") else _CODE.UNKNOWN
    text = error.details() if hasattr(error, "details") else str(error)
    trailers = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    pairs: Any = trailers or ()
    # Not dict(pairs): grpc.aio.Metadata has keys() that are none, in some versions.
    return code, text or "", {key: value for key, value in pairs}  # noqa: C416


def _status_in(trailers: Mapping[str, Any]) -> Status:
    """The details in trailers; none where they do not parse: the code is still worth telling."""
    try:
        return Status.FromString(trailers.get(_DETAILS, b""))
    except DecodeError:
        return Status()


def _details_of(status: Status) -> Tuple[Optional[ErrorInfo], Sequence[FieldViolation]]:
    """Details that do not parse are left out: the status itself is still worth telling."""
    info = None
    violations: Sequence[FieldViolation] = ()
    try:
        for detail in status.details:
            kind = detail.type_url.rpartition("/")[2]
            if kind == "google.rpc.ErrorInfo":
                read = ErrorInfo.FromString(detail.value)
                info = read if read.domain == _DOMAIN else info
            elif kind == "google.rpc.BadRequest":
                violations = [
                    FieldViolation(violation.field, violation.description)
                    for violation in BadRequest.FromString(detail.value).field_violations
                ]
    except DecodeError:
        pass
    return info, violations
