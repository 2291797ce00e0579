"""Streams of records, without the sending: the requests, and what messages mean."""

from __future__ import annotations

from typing import Any, Generic, Iterator, List, Optional, Tuple, TypeVar, Union

from bpfmapd._codecs.codec import Bound, Codec, Site
from bpfmapd._codecs.scalars import Raw
from bpfmapd._gen.bpfmap.v1 import record_pb2 as pb
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd.enums import FullRing, LossReason, MapType, RecordStart
from bpfmapd.errors import ProtocolError, invalid
from bpfmapd.info import MapInfo
from bpfmapd.records import RecordBatch, RecordEvent, RecordsLost, RecordsStarted

T = TypeVar("T")

DEFAULT_CHUNK_BYTES = 64 * 1024
# Records in one message, so that many empty ones make no endless message.
_MOST_RECORDS = 16 * 1024


def records_request(
    ref: MapRef,
    exclusive: bool,
    from_now: bool,
    queue_bytes: int,
    pages_per_cpu: int,
    slot: Optional[Tuple[int, int]],
) -> pb.ReadRecordsRequest:
    """ReadRecords."""
    start = RecordStart.NOW if from_now else RecordStart.BUFFERED
    return pb.ReadRecordsRequest(
        map=ref,
        exclusive=exclusive,
        start=start.wire,
        queue_bytes=queue_bytes,
        pages_per_cpu=pages_per_cpu,
        slot=None if slot is None else pb.PerfSlot(cpu=slot[0], index=slot[1]),
    )


class RecordsReader(Generic[T]):
    """Takes the messages of a stream of records in order."""

    def __init__(self, codec: Codec[T], byte_order: str) -> None:
        self.started: Optional[RecordsStarted] = None
        self.lost = 0
        self._codec = codec
        self._byte_order = byte_order
        self._is_raw = isinstance(codec, Raw)
        self._bound: Optional[Bound[T]] = None
        self._is_padded = False

    def feed(self, message: pb.ReadRecordsResponse) -> Union[RecordBatch, RecordsLost, None]:
        """What a message brings; None for the start."""
        kind = message.WhichOneof("kind")
        if (self.started is None) != (kind == "started"):
            raise ProtocolError(f"the daemon sent {kind or 'an empty message'} out of place")
        if kind == "records":
            return _batch(message.records)
        if kind == "lost":
            lost = message.lost
            self.lost += lost.count
            cpu = lost.cpu if lost.HasField("cpu") else None
            return RecordsLost(LossReason(lost.reason), lost.count, cpu)
        map = MapInfo.of(message.started.map)
        self._is_padded = map.type is MapType.PERF_EVENT_ARRAY
        self._bound = self._bind(map)
        self.started = RecordsStarted(map, message.started.next_sequence)
        return None

    def events(
        self, item: Union[RecordBatch, RecordsLost]
    ) -> Iterator[Union[RecordEvent[T], RecordsLost]]:
        """The records of a batch one by one, or what was lost."""
        if isinstance(item, RecordsLost):
            yield item
            return
        sequence, data, at = item.first_sequence, item.data, 0
        for index, size in enumerate(item.sizes):
            record = data[at : at + size]
            at += size
            yield RecordEvent(
                sequence + index,
                self._decoded(record),
                item.cpus[index] if item.cpus else None,
                item.times_ns[index] if item.times_ns else None,
            )

    def _bind(self, map: MapInfo) -> Optional[Bound[T]]:
        if self._is_raw:
            return None
        size = self._codec.natural_size()
        if size is None:
            raise invalid("records have no size of their own: give a codec of fixed size", "data")
        what = f"records of map {map.name or map.id}"
        return self._codec.bind(Site(size, self._byte_order, (), what, "records"))

    def _decoded(self, record: bytes) -> Any:
        bound = self._bound
        if bound is None:
            return record
        size = bound.size
        # What the kernel pads a record of a perf event array with has no meaning.
        if len(record) != size and not (self._is_padded and len(record) > size):
            raise invalid(
                f"a record has {len(record)} bytes, and its codec {size}",
                "records",
                "VALUE_SIZE_MISMATCH",
            )
        return bound.decode(record[:size])


def _batch(records: pb.Records) -> RecordBatch:
    """Refuses columns that are not whole: a record must never get another's bytes."""
    sizes, cpus, times = records.sizes, records.cpus, records.times_ns
    count, total = len(sizes), sum(sizes)
    if total != len(records.data) or len(cpus) not in (0, count) or len(times) not in (0, count):
        raise ProtocolError(
            f"the daemon sent {count} records of {total} bytes with {len(records.data)} bytes of "
            f"data, {len(cpus)} CPUs and {len(times)} times"
        )
    return RecordBatch(records.first_sequence, sizes, records.data, cpus, times)


def write_start(ref: MapRef, fail_when_full: bool) -> pb.WriteRecordsRequest:
    """The first message of WriteRecords."""
    when_full = FullRing.FAIL if fail_when_full else FullRing.WAIT
    return pb.WriteRecordsRequest(start=pb.WriteRecordsStart(map=ref, when_full=when_full.wire))


class RecordPacker:
    """Joins records into messages of about a size."""

    is_live = True
    """A record that is there does not wait for others."""

    def __init__(self, chunk_bytes: int) -> None:
        if chunk_bytes < 1:
            raise invalid(f"chunk_bytes is {chunk_bytes}: it must be above 0", "chunk_bytes")
        self._chunk_bytes = chunk_bytes
        self._records: List[bytes] = []
        self._size = 0

    def add(self, record: bytes) -> Optional[pb.WriteRecordsRequest]:
        """Takes a record. Returns the message that it filled, if it did."""
        if not isinstance(record, (bytes, bytearray, memoryview)):
            raise invalid(f"records are bytes; {record!r} is none", "records")
        data = bytes(record)
        self._records.append(data)
        self._size += len(data)
        full = self._size >= self._chunk_bytes or len(self._records) >= _MOST_RECORDS
        return self._take() if full else None

    def rest(self) -> Iterator[pb.WriteRecordsRequest]:
        """What was taken since the last message, if anything."""
        if self._records:
            yield self._take()

    def _take(self) -> pb.WriteRecordsRequest:
        sizes = [len(record) for record in self._records]
        records = pb.Records(sizes=sizes, data=b"".join(self._records))
        self._records.clear()
        self._size = 0
        return pb.WriteRecordsRequest(records=records)
