"""Codec of the values of per-CPU maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Generic, List, Optional, Sequence, TypeVar

from bpfmapd._codecs.codec import Bound, Buffer, Codec, CodecLike, Form, Site
from bpfmapd._codecs.resolve import codec_of
from bpfmapd.errors import invalid

T = TypeVar("T")


class PerCpu(Codec[List[T]], Generic[T]):
    """A whole value of a per-CPU map: a list with one item for each of the map's CPUs."""

    def __init__(self, item: CodecLike[T]) -> None:
        self._item = item

    def bind(self, site: Site) -> Bound[List[T]]:
        if not site.cpus:
            raise invalid(f"{site.what} are not per-CPU: leave out PerCpu", site.column)
        item: Bound[T] = codec_of(self._item).bind(replace(site, cpus=()))
        if item.form is not Form.BYTES:
            raise invalid("JSON has a list for each per-CPU value: leave out PerCpu", site.column)
        return BoundPerCpu(site, item)

    def natural_size(self) -> Optional[int]:
        return codec_of(self._item).natural_size()


class BoundPerCpu(Bound[List[T]]):
    """One slot for each CPU, each rounded up to 8 bytes."""

    def __init__(self, site: Site, item: Bound[T]) -> None:
        self.item = item
        self.cpus = len(site.cpus)
        self.slot = -(-site.size // 8) * 8
        self.size = self.slot * self.cpus
        self._site = site

    def encode(self, item: Sequence[T]) -> bytes:
        if len(item) != self.cpus:
            raise self._site.refused(item, f"{len(item)} items for {self.cpus} CPUs")
        return b"".join(self.item.encode(each).ljust(self.slot, b"\0") for each in item)

    def decode(self, data: Buffer) -> List[T]:
        size = self.item.size
        return [
            self.item.decode(data[offset : offset + size])
            for offset in range(0, self.size, self.slot)
        ]

    def dtype(self) -> Any:
        return self.item.dtype()
