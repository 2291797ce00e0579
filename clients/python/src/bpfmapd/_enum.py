"""Enums that take numbers which this version does not know."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, Optional


class OpenEnum(IntEnum):
    """An enum of the contract. A number that is not in it keeps its value and is UNKNOWN_n."""

    @classmethod
    def _missing_(cls, value: object) -> Optional[OpenEnum]:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @property
    def wire(self) -> Any:
        """The number, for messages: the generated code has types of its own for it."""
        return self.value


class OpenFlag(IntFlag):
    """Bits of the contract, to be combined with OR. Unknown bits are kept."""
