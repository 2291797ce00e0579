"""The unary calls that are not on one map's elements, without the sending."""

from __future__ import annotations

from typing import Any, Iterable, List, Optional, Sequence, Tuple, TypedDict, Union

from bpfmapd._binding import View, bind
from bpfmapd._codecs.codec import Codec
from bpfmapd._columns import pack_elements
from bpfmapd._gen.bpfmap.v1 import map_service_pb2 as pb
from bpfmapd._gen.bpfmap.v1.host_service_pb2 import (
    ExplainAccessRequest,
    GetCapabilitiesRequest,
    Verb,
)
from bpfmapd._gen.bpfmap.v1.map_pb2 import HoldSpec, Map, MapRef, MapSpec
from bpfmapd._messages import Seconds, duration_of
from bpfmapd._operations import Operation
from bpfmapd.enums import CreateFlag, IfExists, MapType
from bpfmapd.errors import invalid
from bpfmapd.info import Hold, MapInfo
from bpfmapd.schema import Typing, typing_message

TypeLike = Union[MapType, str]


class CreateArgs(TypedDict, total=False):
    """What create_map() takes besides type and codecs; see Client.create_map."""

    name: str
    key_size: Optional[int]
    value_size: Optional[int]
    flags: int
    hold: Optional[str]
    lease: Optional[Seconds]
    pin: Optional[str]
    create_parents: bool
    reuse: bool
    elements: Iterable[Tuple[Any, Any]]
    freeze: bool
    spec: Optional[MapSpec]
    fold: Any
    cpu: Optional[int]
    all_cpus: bool
    typing: Optional[Typing]


# Sizes that the kernel leaves no choice about.
_KEY_SIZES = {
    **dict.fromkeys((MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER), 0),
    **dict.fromkeys((MapType.RINGBUF, MapType.USER_RINGBUF, MapType.ARENA), 0),
    **dict.fromkeys((MapType.ARRAY, MapType.PERCPU_ARRAY), 4),
}
_VALUE_SIZES = dict.fromkeys((MapType.RINGBUF, MapType.USER_RINGBUF, MapType.ARENA), 0)

_PER_CPU = (MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH)


def map_type(given: TypeLike) -> MapType:
    """A map type, or its name as bpftool spells it."""
    if isinstance(given, MapType):
        return given
    try:
        return MapType[given.upper()]
    except KeyError:
        raise invalid(f"{given!r} is no map type", "spec.type") from None


def capabilities_request(types: Iterable[TypeLike]) -> GetCapabilitiesRequest:
    """GetCapabilities."""
    return GetCapabilitiesRequest(types=[map_type(each).wire for each in types])


def explain_request(verb: str, map_ref: Optional[MapRef]) -> ExplainAccessRequest:
    """ExplainAccess."""
    try:
        number = Verb.Value(f"VERB_{verb.upper()}")
    except ValueError:
        raise invalid(f"{verb!r} is no verb", "verb") from None
    return ExplainAccessRequest(verb=number, map=map_ref)


def create_request(
    spec: MapSpec,
    *,
    hold: Optional[str],
    lease: Optional[Seconds],
    pin: Optional[str],
    create_parents: bool,
    reuse: bool,
    freeze: bool,
    typing: Optional[Typing],
) -> pb.CreateMapRequest:
    """CreateMap, without initial elements."""
    if lease is not None and hold is None:
        raise invalid("a lease is part of a hold: give hold", "hold")
    return pb.CreateMapRequest(
        spec=spec,
        hold=None if hold is None else HoldSpec(name=hold, lease=duration_of(lease)),
        pin_path=pin or "",
        create_parents=create_parents,
        if_exists=(IfExists.REUSE_COMPATIBLE if reuse else IfExists.ERROR).wire,
        freeze=freeze,
        typing=typing_message(typing),
    )


def spec_of(
    type: TypeLike,
    max_entries: int,
    name: str,
    codecs: Tuple[Codec[Any], Codec[Any]],
    sizes: Tuple[Optional[int], Optional[int]],
    flags: int,
    spec: Optional[MapSpec],
) -> MapSpec:
    """The spec of a map; `spec` has what the other arguments do not say."""
    kind = map_type(type)
    made = MapSpec()
    if spec is not None:
        made.CopyFrom(spec)
    made.type = kind.wire
    made.max_entries = max_entries
    made.name = name or made.name
    made.flags |= int(flags)
    if kind is MapType.LPM_TRIE:
        # The kernel refuses tries without it.
        made.flags |= CreateFlag.NO_PREALLOC
    key, value = codecs
    made.key_size = _size(key, sizes[0], _KEY_SIZES.get(kind), made.key_size, "key")
    made.value_size = _size(value, sizes[1], _VALUE_SIZES.get(kind), made.value_size, "value")
    return made


def _size(
    codec: Codec[Any], given: Optional[int], fixed: Optional[int], in_spec: int, what: str
) -> int:
    """The size of keys or values: as given, as the type has it, as the codec tells it."""
    for size in (given, fixed, codec.natural_size(), in_spec or None):
        if size is not None:
            return size
    raise invalid(f"give {what}_size: nothing else tells it", f"spec.{what}_size")


def add_elements(
    request: pb.CreateMapRequest,
    pairs: Sequence[Tuple[Any, Any]],
    codecs: Tuple[Codec[Any], Codec[Any]],
    byte_order: str,
    cpus: Sequence[int],
) -> None:
    """Adds initial elements, which are encoded as the map that is to be will have them."""
    spec = request.spec
    per_cpu = MapType(spec.type) in _PER_CPU
    future = Map(
        name=spec.name,
        key_size=spec.key_size,
        value_size=spec.value_size,
        value_stride=-(-spec.value_size // 8) * 8 * len(cpus) if per_cpu else spec.value_size,
        cpus=cpus if per_cpu else (),
    )
    binding = bind(*codecs, View(), future, byte_order)
    request.initial_elements.CopyFrom(pack_elements(pairs, binding))


def create(request: pb.CreateMapRequest) -> Operation[Tuple[MapInfo, bool]]:
    """CreateMap: the map, and whether it was made."""
    return Operation(
        "CreateMap", request, lambda answer: (MapInfo.of(answer.map), bool(answer.created))
    )


def list_page(
    token: str,
    name: Optional[str],
    types: Iterable[TypeLike],
    pinned: Optional[bool],
    held: Optional[bool],
    pins: bool,
    holders: bool,
) -> Operation[Tuple[List[MapInfo], str]]:
    """ListMaps: one page, and the token of the next."""
    request = pb.ListMapsRequest(
        page_token=token,
        filter=pb.ListMapsFilter(
            name_glob=name or "",
            types=[map_type(each).wire for each in types],
            pinned=pinned,
            held=held,
        ),
        detail=pb.MapDetail(pins=pins, holders=holders),
    )
    return Operation(
        "ListMaps",
        request,
        lambda answer: ([MapInfo.of(each) for each in answer.maps], answer.next_page_token),
    )


def release(name: str) -> Operation[None]:
    """ReleaseMap."""
    return Operation("ReleaseMap", pb.ReleaseMapRequest(name=name), lambda _: None)


def keep_alive(names: Sequence[str]) -> Operation[List[Hold]]:
    """KeepAlive."""
    request = pb.KeepAliveRequest(names=names)
    return Operation("KeepAlive", request, lambda answer: [Hold.of(hold) for hold in answer.holds])


def unpin(path: str, remove_empty_parents: bool) -> Operation[None]:
    """UnpinMap."""
    request = pb.UnpinMapRequest(path=path, remove_empty_parents=remove_empty_parents)
    return Operation("UnpinMap", request, lambda _: None)


def ref_after_create(info: MapInfo, hold: Optional[str], pin: Optional[str]) -> MapRef:
    """How the handle of a new map names it: as long as its hold or pin lasts."""
    if hold is not None:
        return MapRef(held=hold)
    if pin is not None:
        return MapRef(pin_path=pin)
    return MapRef(id=info.id, boot_id=info.boot_id)
