"""Choices that may be given as words."""

from __future__ import annotations

from enum import IntEnum
from typing import Type, TypeVar, Union

from bpfmapd.errors import invalid

E = TypeVar("E", bound=IntEnum)


def choice(kind: Type[E], given: Union[E, str], argument: str) -> E:
    """A member of an enum, or the member that a word names, such as "noexist"."""
    if isinstance(given, kind):
        return given
    try:
        return kind[str(given).upper()]
    except KeyError:
        words = ", ".join(member.name.lower() for member in kind if member.value != 0)
        raise invalid(f"{argument} is {given!r}: give one of {words}", argument) from None
