"""Types of keys and values: those that a map has (BTF), and those that a caller names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from bpfmapd._gen.bpfmap.v1 import element_pb2, schema_pb2
from bpfmapd._gen.bpfmap.v1.object_pb2 import ProgramRef
from bpfmapd.errors import invalid

__all__ = ["Schema", "Typing"]


@dataclass(frozen=True)
class Typing:
    """Types for a map that has none, or instead of its own.

    They are looked for in one of `kernel`, `program`, `program_pin` and `btf_id`; without one,
    among the map's own. InvalidArgument, reason "TYPE_NOT_FOUND" or "TYPE_SIZE_MISMATCH", for
    what is not there or has another size.
    """

    key: str = ""
    """Name of the key's type, such as "struct flow_key" or "__u32"."""
    value: str = ""
    """Name of the value's type, of one CPU's value for per-CPU maps."""
    kernel: Optional[str] = None
    """The kernel itself ("vmlinux") or one of its modules."""
    program: Optional[int] = None
    """A program's id."""
    program_pin: Optional[str] = None
    """A program's pin."""
    btf_id: Optional[int] = None
    """The id of BTF that is loaded."""

    def message(self) -> element_pb2.Typing:
        """As requests carry it."""
        sources = (self.kernel, self.program, self.program_pin, self.btf_id)
        if sum(source is not None for source in sources) > 1:
            raise invalid("types come from one of kernel, program, program_pin and btf_id")
        made = element_pb2.Typing(key_type=self.key, value_type=self.value)
        if self.kernel is not None:
            made.kernel = self.kernel
        elif self.btf_id is not None:
            made.btf_id = self.btf_id
        elif self.program is not None:
            made.program.CopyFrom(ProgramRef(id=self.program))
        elif self.program_pin is not None:
            made.program.CopyFrom(ProgramRef(pin_path=self.program_pin))
        return made


@dataclass(frozen=True)
class Schema:
    """The types of a map's keys and values."""

    source: str
    """Where they come from: "map", "program", "vmlinux", a module's name, or "btf 7"."""
    key: str
    """The key as a C declaration; "" where keys have no type."""
    value: str
    """The value as a C declaration, of one CPU for per-CPU maps; "" where it has no type."""
    message: schema_pb2.MapTypes = field(repr=False)
    """Every type that keys and values are made of."""

    @staticmethod
    def of(answer: schema_pb2.GetMapSchemaResponse) -> Schema:
        """From the answer of GetMapSchema."""
        types = answer.schema
        return Schema(types.source, types.key_declaration, types.value_declaration, types)


def typing_message(typing: Optional[Typing]) -> Any:
    """The Typing of a request; None for the map's own types."""
    return None if typing is None else typing.message()
