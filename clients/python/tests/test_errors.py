"""The family of errors."""

from __future__ import annotations

import copy
import pickle
from typing import List, Type

import grpc
import pytest

import bpfmapd
from bpfmapd import errors
from bpfmapd.enums import ErrorReason
from bpfmapd.errors import BpfmapError, error_of


def test_knows_class_and_status_of_each_reason() -> None:
    assert {reason.name for reason in ErrorReason} - {"UNSPECIFIED"} == set(errors._BY_REASON)


def test_every_class_is_public_and_of_the_family() -> None:
    def below(kind: Type[BpfmapError]) -> List[Type[BpfmapError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    assert {kind.__name__ for kind in below(BpfmapError)} <= set(errors.__all__)


@pytest.mark.parametrize("reason", sorted(errors._BY_REASON))
def test_can_be_copied_and_pickled(reason: str) -> None:
    error = error_of(
        "what happened",
        code=grpc.StatusCode.UNKNOWN,
        reason=reason,
        metadata={"map": "7"},
        violations=[errors.FieldViolation("keys", "too short")],
    )
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(same) is type(error)
        assert str(same) == "what happened"
        assert (same.code, same.reason) == (error.code, reason)
        assert same.metadata == {"map": "7"}
        assert same.violations == error.violations


def test_is_an_error_of_python_where_there_is_one() -> None:
    for kind, builtin in (
        (errors.KeyNotFound, KeyError),
        (errors.InvalidArgument, ValueError),
        (errors.KeyOutOfRange, IndexError),
        (errors.Unavailable, ConnectionError),
        (errors.DeadlineExceeded, TimeoutError),
        (errors.PermissionDenied, PermissionError),
        (errors.PinExists, FileExistsError),
        (errors.KernelMemory, MemoryError),
    ):
        assert issubclass(kind, builtin)


def test_tells_what_the_daemon_said(client: bpfmapd.Client, daemon, unique: str) -> None:
    with pytest.raises(errors.MapNotFound) as caught:
        client.map(id=2**31).info()
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    with pytest.raises(bpfmapd.InvalidArgument) as invalid:
        client.create_map("hash", 0, key="I", value="I", hold=unique)
    assert invalid.value.reason == "SPEC_INVALID"
    assert invalid.value.violations[0].field == "spec.max_entries"
    with pytest.raises(bpfmapd.InvalidArgument) as outside:
        client.create_map("hash", 1, key="I", value="I", pin="/tmp/x")  # noqa: S108
    assert outside.value.reason == "PIN_PATH_OUTSIDE_ROOT"
    client.create_map("hash", 1, key="I", value="I", hold=unique)
    with pytest.raises(errors.HoldExists):
        client.create_map("hash", 1, key="I", value="I", hold=unique)
    with pytest.raises(errors.MapIncompatible) as other:
        client.create_map("hash", 2, key="I", value="I", hold=unique, reuse=True)
    assert other.value.violations[0].field == "spec.max_entries"
    assert (
        client.create_map("hash", 1, key="I", value="I", hold=unique, reuse=True).created is False
    )
    with pytest.raises(errors.BootIdMismatch):
        client.map(held=unique, boot_id="another").info()
    with pytest.raises(errors.HoldNotFound):
        client.keep_alive(unique, "not_there")
    with pytest.raises(errors.NotFound):
        client.unpin(f"{daemon.bpffs}/not_there")
    client.release(unique)


def test_of_raw_calls_can_be_turned_into_one(client: bpfmapd.Client) -> None:
    from bpfmapd import proto

    with pytest.raises(grpc.RpcError) as caught:
        client.maps.GetMap(proto.GetMapRequest(map=proto.MapRef(id=2**31)))
    assert isinstance(BpfmapError.from_rpc(caught.value), errors.MapNotFound)
