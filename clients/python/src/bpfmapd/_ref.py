"""References to maps."""

from __future__ import annotations

from typing import Any, Optional, TypedDict

from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd.errors import invalid


class RefArgs(TypedDict, total=False):
    """How a map is named: exactly one of id, pin, name and held."""

    id: Optional[int]
    pin: Optional[str]
    name: Optional[str]
    held: Optional[str]
    boot_id: Optional[str]


def map_ref(
    id: Optional[int] = None,
    pin: Optional[str] = None,
    name: Optional[str] = None,
    held: Optional[str] = None,
    boot_id: Optional[str] = None,
) -> MapRef:
    """The MapRef of a reference; InvalidArgument unless exactly one way of naming is given.

    `id` is the kernel's map id, valid within one boot: give `boot_id` as well with ids that
    were kept. `pin` is the absolute path of a pin, `name` the map's name, which must be its
    alone, and `held` the name of a hold of the daemon.
    """
    given = [
        way
        for way, value in (("id", id), ("pin", pin), ("name", name), ("held", held))
        if value is not None
    ]
    if len(given) != 1:
        raise invalid(
            f"a map is named by exactly one of id, pin, name and held; given: "
            f"{', '.join(given) or 'none'}",
            "map",
        )
    try:
        made: Any = MapRef
        ref: MapRef = made(id=id, pin_path=pin, name=name, held=held, boot_id=boot_id)
        return ref
    except (TypeError, ValueError) as error:
        raise invalid(f"not a reference to a map: {error}", "map") from None


def told(ref: MapRef) -> str:
    """The reference for people, such as "map id 7"."""
    way = ref.WhichOneof("ref") or "id"
    return f"map {'pin' if way == 'pin_path' else way} {getattr(ref, way)}"
