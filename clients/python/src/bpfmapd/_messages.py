"""Conversions between messages of the contract and Python's own types."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional, Union

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

Seconds = Union[int, float, timedelta]


def duration_of(time: Optional[Seconds]) -> Optional[Duration]:
    """A Duration of seconds or of a timedelta."""
    if time is None:
        return None
    delta = time if isinstance(time, timedelta) else timedelta(seconds=time)
    duration = Duration()
    duration.FromTimedelta(delta)
    return duration


def time_of(timestamp: Timestamp) -> datetime:
    """The UTC time of a Timestamp, to the microsecond."""
    return timestamp.ToDatetime(tzinfo=timezone.utc)


def delta_of(duration: Duration) -> timedelta:
    """The timedelta of a Duration, to the microsecond."""
    return duration.ToTimedelta()
