"""What a codec is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Iterator, Optional, Tuple, Type, TypeVar, Union

from bpfmapd.errors import BpfmapError, invalid

T = TypeVar("T")

Buffer = Union[bytes, bytearray, memoryview]


class Form(Enum):
    """How the keys or values of a codec stand in messages."""

    BYTES = ""
    JSON = "json_"
    OBJECTS = "object_"

    def field(self, name: str) -> str:
        """The field that carries "keys", "values" or one of them in this form."""
        return f"{self.value}{name}"


@dataclass(frozen=True)
class Site:
    """Where a codec is used: the keys, or the values, of one map."""

    size: int
    """Bytes of one key, or of one value of one CPU."""
    byte_order: str
    """The host's: "little" or "big"."""
    cpus: Tuple[int, ...]
    """The CPUs whose slots a value has; empty where it is a single one."""
    what: str
    """What the bytes are, for errors, such as "values of map hits"."""
    column: str
    """How the contract calls the column: "keys" or "values"."""

    def wrong_size(self, size: int, by: str) -> BpfmapError:
        """The error of a type that is not as large as the keys or values."""
        reason = "KEY_SIZE_MISMATCH" if self.column == "keys" else "VALUE_SIZE_MISMATCH"
        message = f"{self.what} have {self.size} bytes, but {by} has {size}"
        return invalid(message, self.column, reason)

    def refused(self, item: object, why: object) -> BpfmapError:
        """The error of an object that cannot be encoded."""
        return invalid(f"{self.what}: {item!r} cannot be encoded: {why}", self.column)


class Bound(ABC, Generic[T]):
    """A codec that knows the map it is for. Encodes to and decodes from exactly `size` bytes,
    or what stands for them in another form."""

    size: int
    """Bytes of one key or value; 0 where the daemon checks them."""
    form: Form = Form.BYTES
    """What encode() gives."""

    @abstractmethod
    def encode(self, item: T) -> bytes:
        """The bytes of an object; InvalidArgument where it does not fit."""

    @abstractmethod
    def decode(self, data: Buffer) -> T:
        """The object of `size` bytes."""

    def decode_column(self, column: bytes, count: int) -> Iterator[T]:
        """The objects of a whole column, in order."""
        size = self.size
        view = memoryview(column)
        for offset in range(0, count * size, size):
            yield self.decode(view[offset : offset + size])

    def dtype(self) -> Any:
        """What numpy.dtype() takes for one object; bytes unless a codec knows better."""
        return ("u1", (self.size,))


class Codec(ABC, Generic[T]):
    """Turns objects into the bytes of keys or values, and back.

    Make your own by deriving from it, or with `Custom`.
    """

    form: Form = Form.BYTES
    """What its bound codecs encode to."""

    @abstractmethod
    def bind(self, site: Site) -> Bound[T]:
        """The codec for one map. InvalidArgument where the sizes do not agree."""

    def unbound(self, column: str) -> Optional[Bound[T]]:
        """The codec for "keys" or "values" of a map of which nothing is known; None where it
        has to know the map's sizes or byte order."""
        return None

    def natural_size(self) -> Optional[int]:
        """The only size that it can be bound to, in bytes; None where it takes several."""
        return None


CodecLike = Union[Codec[T], Type[T]]
"""What stands for a codec: one, or `bytes`, `int`, a dataclass, a ctypes structure, or an
address or network of ipaddress."""
