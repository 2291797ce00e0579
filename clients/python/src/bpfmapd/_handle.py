"""What the handles of both faces have in common."""

from __future__ import annotations

from typing import Generic, Optional, Tuple, TypeVar

from bpfmapd._binding import Binding, View, bind, format_of, unbound
from bpfmapd._codecs.codec import Codec, Form
from bpfmapd._gen.bpfmap.v1.map_pb2 import Map as MapMessage
from bpfmapd._gen.bpfmap.v1.map_pb2 import MapRef
from bpfmapd._ref import told
from bpfmapd.enums import Format
from bpfmapd.errors import invalid
from bpfmapd.schema import Typing

K = TypeVar("K")
V = TypeVar("V")


class Handle(Generic[K, V]):
    """A reference with codecs. Nothing is asked of the daemon before it is needed."""

    ref: MapRef
    """The reference, as requests of `client.maps` take it."""
    created: Optional[bool]
    """Whether create_map() made the map (True) or found it (False); None for other handles."""

    def __init__(
        self,
        ref: MapRef,
        key: Codec[K],
        value: Codec[V],
        view: View,
        typing: Optional[Typing],
        created: Optional[bool],
    ) -> None:
        self.ref = ref
        self.created = created
        self._key = key
        self._value = value
        self._view = view
        self._typing = typing
        self._unbound = unbound(key, value)
        self._binding = self._unbound

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {told(self.ref)}>"

    @property
    def _needs_host(self) -> bool:
        """Whether the codecs have to know the host's byte order and the map's sizes."""
        return self._unbound is None

    @property
    def _is_bytes(self) -> bool:
        """Whether keys and values travel as bytes."""
        return self._forms == (Form.BYTES, Form.BYTES)

    @property
    def _forms(self) -> Tuple[Form, Form]:
        return self._key.form, self._value.form

    @property
    def _format(self) -> Format:
        """How elements must stand in answers for the codecs."""
        return format_of(*self._forms)

    def _require_bytes(self, what: str) -> None:
        if not self._is_bytes:
            raise invalid(f"{what} of bytes: use a handle without JSON and kernel objects")

    def _require_no_objects(self, what: str) -> None:
        if Form.OBJECTS in self._forms:
            raise invalid(f"{what} tells no kernel objects: give the handle bytes or int")

    def _forget(self) -> None:
        """Has the map's sizes asked for anew, before the next call that needs them."""
        self._binding = self._unbound

    def _bind_to(self, map: MapMessage, byte_order: str) -> Binding[K, V]:
        return bind(self._key, self._value, self._view, map, byte_order)
