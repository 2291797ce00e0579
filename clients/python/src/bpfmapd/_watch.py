"""Watches, without the sending: requests, what messages mean, and which failures can pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Generic, Iterator, List, Optional, TypeVar

import grpc

from bpfmapd._backoff import Backoff
from bpfmapd._binding import Binding
from bpfmapd._codecs.codec import Form
from bpfmapd._gen.bpfmap.v1 import watch_pb2 as pb
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuView
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._messages import Seconds, delta_of, duration_of, time_of
from bpfmapd.enums import (
    Format,
    OnRecreate,
    Projection,
    ResyncReason,
    WatchFidelity,
    WatchSource,
    WatchStart,
    WriterKind,
)
from bpfmapd.errors import BpfmapError, ProtocolError, ResumeTokenInvalid
from bpfmapd.events import Bookmark, Created, Delete, Event, Gone, Put, Resync, Synced, Writer
from bpfmapd.filters import WatchFilter
from bpfmapd.info import MapInfo
from bpfmapd.schema import Typing, typing_message

K = TypeVar("K")
V = TypeVar("V")

_CODE = grpc.StatusCode

# Failures after which another attempt can succeed.
_PASSING = (
    _CODE.UNAVAILABLE,
    _CODE.ABORTED,
    _CODE.RESOURCE_EXHAUSTED,
    _CODE.DEADLINE_EXCEEDED,
)


@dataclass(frozen=True)
class WatchOptions(Generic[K]):
    """What to watch and how; see Map.watch."""

    filter: Optional[WatchFilter[K]] = None
    updates_only: bool = False
    resume_token: Optional[bytes] = None
    fidelity: WatchFidelity = WatchFidelity.UNSPECIFIED
    poll_interval: Optional[Seconds] = None
    keys_only: bool = False
    previous_values: bool = False
    bookmark_interval: Optional[Seconds] = None
    follow: bool = False
    format: Format = Format.UNSPECIFIED
    typing: Optional[Typing] = None


class WatchState(Generic[K, V]):
    """Where a watch stands, over all the calls that it makes."""

    def __init__(
        self,
        ref: MapRef,
        view: Optional[CpuView],
        binding_of: Callable[[Any], Binding[K, V]],
        options: WatchOptions[K],
    ) -> None:
        self.resume_token = options.resume_token
        self.backoff = Backoff()
        self._ref = ref
        self._view = view
        self._binding_of = binding_of
        self._options = options
        self._created: Optional[Created] = None
        self._binding: Optional[Binding[K, V]] = None
        self._stride = 0
        # Whether nothing was told since it was said that the contents follow anew.
        self._starting_over = False

    @property
    def needs_binding(self) -> bool:
        """Whether the request has keys that only the map's codec can encode."""
        return self._options.filter is not None

    def request(self, binding: Optional[Binding[K, V]]) -> pb.WatchRequest:
        """The request of the next call."""
        options = self._options
        follow = OnRecreate.FOLLOW if options.follow else OnRecreate.END
        projection = Projection.KEYS if options.keys_only else Projection.KEYS_AND_VALUES
        request = pb.WatchRequest(
            map=self._ref,
            fidelity=options.fidelity.wire,
            poll_interval=duration_of(options.poll_interval),
            projection=projection.wire,
            cpu_view=self._view,
            previous_values=options.previous_values,
            bookmark_interval=duration_of(options.bookmark_interval),
            on_recreate=follow.wire,
            format=options.format.wire,
            typing=typing_message(options.typing),
        )
        if options.filter is not None and binding is not None:
            request.filter.CopyFrom(options.filter.message(binding.key))
        if self.resume_token is not None:
            request.resume_token = self.resume_token
        else:
            updates = options.updates_only and self._created is None
            start = (WatchStart.UPDATES if updates else WatchStart.SNAPSHOT).wire
            setattr(request, "from", start)
        return request

    def feed(self, message: pb.WatchResponse) -> Iterator[Event[K, V]]:
        """The events of a message. They must all be taken before the next message."""
        kind = message.WhichOneof("kind")
        if kind == "events":
            self._starting_over = False
            yield from self._changes(message.events)
        elif kind == "bookmark":
            # Not before: what ends again at once must not be called without a pause.
            self.backoff.reset()
            self._starting_over = False
            self.resume_token = message.bookmark.resume_token
            yield _bookmark(message.bookmark)
        elif kind == "created":
            self._stride = message.created.value_stride
            self._created = _created(message.created)
            self._binding = self._binding_of(message.created.map)
            yield self._created
        elif kind == "resync":
            # Until the snapshot is whole there is nothing to resume from.
            self.resume_token = None
            self._starting_over = True
            yield Resync(ResyncReason(message.resync.reason), message.resync.lost)
        elif kind == "map_gone":
            self.resume_token = None
            yield Gone(message.map_gone.id)
        else:
            raise ProtocolError("the daemon sent an empty message in a watch")

    def gone(self, error: BpfmapError) -> Optional[Gone]:
        """The last event, where the map was freed while there was no connection."""
        if self._created is None or self._options.follow or error.code is not _CODE.NOT_FOUND:
            return None
        return Gone(self._created.map.id)

    def pause(self, error: BpfmapError) -> float:
        """Seconds to wait before another attempt; raises the error where none can succeed.

        The first call fails at once: it may be a wrong address.
        """
        if self._created is None:
            raise error
        if isinstance(error, ResumeTokenInvalid) and self.resume_token is not None:
            # Made by a daemon whose key is lost; the contents come anew.
            self.resume_token = None
        elif not (error.code is _CODE.NOT_FOUND or can_pass(error)):
            raise error
        return self.backoff.next()

    def start_over(self) -> List[Resync]:
        """What to tell before another attempt: with nothing to resume from, a snapshot comes,
        which replaces what was told."""
        if self.resume_token is not None or self._starting_over:
            return []
        self._starting_over = True
        return [Resync(ResyncReason.UNSPECIFIED, 0)]

    def _changes(self, events: pb.WatchEvents) -> Iterator[Event[K, V]]:
        binding = self._binding
        if binding is None:
            raise ProtocolError("the daemon sent changes before it named the map")
        puts, deletes = events.puts, events.deletes
        previous = self._previous(events, puts.count + deletes.count, binding)
        writers = _writers(events, puts.count + deletes.count)
        revision, initial = events.revision, events.initial
        after, before = time_of(events.seen_after), time_of(events.seen_before)
        key_field = binding.key.form.field("keys")
        keys = binding.key.decode_column(getattr(puts, key_field), puts.count)
        values: Iterator[Optional[V]] = (
            iter([None] * puts.count)
            if self._options.keys_only
            else binding.value.decode_column(
                getattr(puts, binding.value.form.field("values")), puts.count
            )
        )
        for index, (key, value) in enumerate(zip(keys, values)):
            yield Put(key, value, previous[index], initial, revision, writers[index], after, before)
        gone = binding.key.decode_column(getattr(deletes, key_field), deletes.count)
        for index, key in enumerate(gone, puts.count):
            yield Delete(key, previous[index], revision, writers[index], after, before)

    def _previous(
        self, events: pb.WatchEvents, count: int, binding: Binding[K, V]
    ) -> List[Optional[V]]:
        """The values before, by position."""
        present, column, stride = events.previous_present, events.previous, self._stride
        if not present:
            return [None] * count
        texts: Any = events.json_previous if binding.value.form is Form.JSON else None
        return [
            binding.value.decode(
                column[index * stride : (index + 1) * stride] if texts is None else texts[index]
            )
            if present[index >> 3] >> (index & 7) & 1
            else None
            for index in range(count)
        ]


def can_pass(error: BpfmapError) -> bool:
    """Whether a stream that has failed so can be made anew."""
    return error.code in _PASSING or _is_cut(error)


def _is_cut(error: BpfmapError) -> bool:
    """Whether a call failed with its connection, which grpc calls INTERNAL where the other side
    gave a code: Node.js ends connections on which 1,000 calls are cancelled at once. The
    daemon's own errors have a reason."""
    return error.code is _CODE.INTERNAL and not error.reason and error.__cause__ is not None


def _created(message: pb.WatchCreated) -> Created:
    return Created(
        map=MapInfo.of(message.map),
        source=WatchSource(message.source),
        source_reason=message.source_reason,
        fidelity=WatchFidelity(message.fidelity),
        poll_interval=delta_of(message.poll_interval),
        epoch=message.epoch,
    )


def _bookmark(message: pb.WatchBookmark) -> Bookmark:
    kind = Synced if message.snapshot_done else Bookmark
    return kind(
        revision=message.revision,
        resume_token=message.resume_token,
        scan_started=time_of(message.scan_started) if message.HasField("scan_started") else None,
        scan_finished=(
            time_of(message.scan_finished) if message.HasField("scan_finished") else None
        ),
        poll_interval=delta_of(message.poll_interval),
    )


def _writers(events: pb.WatchEvents, count: int) -> List[Optional[Writer]]:
    if not events.writers:
        return [None] * count
    return [
        Writer(writer.pid, writer.comm, WriterKind(writer.kind), writer.monotonic_ns)
        for writer in events.writers
    ]
