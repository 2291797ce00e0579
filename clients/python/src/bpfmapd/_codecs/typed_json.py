"""Codec of plain values, which the daemon encodes and decodes by the map's types."""

from __future__ import annotations

import json
from typing import Any, Iterator

from bpfmapd._codecs.codec import Bound, Codec, Form, Site
from bpfmapd.errors import invalid


class Json(Codec[Any]):
    """Plain values of the map's types (BTF), or of those that the handle's `typing` names.

    Structs and unions are dicts, arrays lists, integers up to 32 bits int, wider ones and
    pointers strings in decimal (int may be written), bools bool, enumerations their names,
    arrays of char str. Members that are left out become zero. Whole values of per-CPU maps are
    lists with one value for each of the map's CPUs. The contract has all of it at `Format`.

    NoTypes where the map has no types and none are named; InvalidArgument, reason
    "JSON_INVALID", with the path of the field in `violations`, for what is not of the type.
    """

    form = Form.JSON

    def bind(self, site: Site) -> Bound[Any]:
        return _BoundJson(site.column)

    def unbound(self, column: str) -> Bound[Any]:
        return _BoundJson(column)


class _BoundJson(Bound[Any]):
    form = Form.JSON
    size = 0

    def __init__(self, column: str) -> None:
        self._column = column

    def encode(self, item: Any) -> Any:
        return text_of(item, f"json_{self._column}")

    def decode(self, data: Any) -> Any:
        return json.loads(data)

    def decode_column(self, column: Any, count: int) -> Iterator[Any]:
        return map(json.loads, column)


def text_of(item: Any, field: str) -> str:
    """The JSON text of a value; InvalidArgument where it has none."""
    try:
        return json.dumps(item, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise invalid(f"{item!r} is no JSON: {error}", field, "JSON_INVALID") from None
