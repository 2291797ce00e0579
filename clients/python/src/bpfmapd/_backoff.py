"""Pauses between attempts to connect."""

from __future__ import annotations

import random

_FIRST_S = 0.1
_LONGEST_S = 10.0


class Backoff:
    """Growing pauses, each at random so that clients do not come all at once."""

    def __init__(self) -> None:
        self._longest = _FIRST_S

    def next(self) -> float:
        """Seconds to wait: at random up to a bound that doubles each time."""
        pause = random.random() * self._longest
        self._longest = min(_LONGEST_S, self._longest * 2)
        return pause

    def reset(self) -> None:
        """Starts again with short pauses, after a success."""
        self._longest = _FIRST_S
