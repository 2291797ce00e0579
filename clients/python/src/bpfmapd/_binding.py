"""A map's codecs, bound to its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar, Union

from bpfmapd._choices import choice
from bpfmapd._codecs.codec import Bound, Codec, Form, Site
from bpfmapd._codecs.per_cpu import PerCpu
from bpfmapd._codecs.scalars import Raw
from bpfmapd._gen.bpfmap.v1.element_pb2 import CpuTarget, CpuView
from bpfmapd._gen.bpfmap.v1.map_pb2 import Map as MapMessage
from bpfmapd.enums import CpuFold, Format
from bpfmapd.errors import invalid

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class View:
    """Which slots of per-CPU values a handle reads and writes; all of them where empty."""

    cpu: Optional[int] = None
    fold: Optional[CpuFold] = None
    all_cpus: bool = False

    def __post_init__(self) -> None:
        if self.cpu is not None and (self.fold is not None or self.all_cpus):
            raise invalid("cpu excludes fold and all_cpus", "cpu_view")

    @staticmethod
    def of(cpu: Optional[int], fold: Union[CpuFold, str, None], all_cpus: bool) -> View:
        """The view that the arguments of a handle ask for."""
        chosen = None if fold is None else choice(CpuFold, fold, "fold")
        return View(cpu, chosen, all_cpus)

    def reading(self) -> Optional[CpuView]:
        """The view of requests that read; InvalidArgument where only writing is possible."""
        if self.cpu is not None:
            return CpuView(cpu=self.cpu)
        if self.fold is not None:
            fold: Any = self.fold
            return CpuView(fold=fold)
        if self.all_cpus:
            raise invalid("with all_cpus alone a handle only writes: give fold too", "cpu_view")
        return None

    def writing(self) -> Optional[CpuTarget]:
        """The target of requests that write; InvalidArgument where only reading is possible."""
        if self.cpu is not None:
            return CpuTarget(cpu=self.cpu)
        if self.all_cpus:
            return CpuTarget(all_cpus=True)
        if self.fold is not None:
            raise invalid("with fold alone a handle only reads: give all_cpus too", "cpu_target")
        return None

    @property
    def is_whole(self) -> bool:
        """Whether values have all their slots."""
        return self.cpu is None and self.fold is None and not self.all_cpus


@dataclass(frozen=True)
class Binding(Generic[K, V]):
    """How the keys and values of one map become objects."""

    key: Bound[K]
    value: Bound[V]


def format_of(*forms: Form) -> Format:
    """The Format of a request whose answer has columns in these forms."""
    json = [form is Form.JSON for form in forms]
    if not any(json):
        return Format.UNSPECIFIED
    return Format.JSON if all(json) else Format.BYTES_AND_JSON


def unbound(key: Codec[K], value: Codec[V]) -> Optional[Binding[K, V]]:
    """The codecs where nothing of the map need be known; None where it must."""
    keys, values = key.unbound("keys"), value.unbound("values")
    return None if keys is None or values is None else Binding(keys, values)


def bind(
    key: Codec[K], value: Codec[V], view: View, map: MapMessage, byte_order: str
) -> Binding[K, V]:
    """Binds codecs to a map; InvalidArgument where their sizes do not agree with its."""
    what = f"map {map.name or map.id}"
    cpus = tuple(map.cpus) if view.is_whole else ()
    per_cpu = bool(cpus)
    key_site = Site(map.key_size, byte_order, (), f"keys of {what}", "keys")
    value_size = map.value_size
    if per_cpu and isinstance(value, Raw):
        value_size = map.value_stride
    elif per_cpu and value.form is Form.BYTES and not isinstance(value, PerCpu):
        raise invalid(
            f"values of {what} have one slot for each of {len(cpus)} CPUs: give "
            "value=PerCpu(...) for all of them, or cpu or fold for one",
            "values",
        )
    value_site = Site(value_size, byte_order, cpus, f"values of {what}", "values")
    return Binding(_bind_key(key, key_site), value.bind(value_site))


def _bind_key(key: Codec[K], site: Site) -> Bound[K]:
    # Queues, stacks and bloom filters have no keys that a codec could be for.
    bound: Bound[Any] = Raw().bind(site) if site.size == 0 else key.bind(site)
    return bound
