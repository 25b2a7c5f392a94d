"""What is worth saying once, and not a thousand times."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

QUIET_SECONDS = 60.0
"""How long the same trouble is not told again."""

_MOST_TEXTS = 32  # A server chooses some of the words; it must not fill the log or the memory with new ones.


class Reports:
    """Lets each text through once a minute, whatever its digits, and counts the others; not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def due(self, text: str) -> int | None:
        """None: do not tell this one. Otherwise how often it was not told before."""
        now = self._clock()
        key = re.sub(r"[0-9]+", "0", text)
        if now - self._said.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            self._unsaid[key] = self._unsaid.get(key, 0) + 1
            return None
        if key not in self._said and len(self._said) >= _MOST_TEXTS:
            self._said = {key: said for key, said in self._said.items() if now - said < QUIET_SECONDS}
            self._unsaid = {key: count for key, count in self._unsaid.items() if key in self._said}
            if len(self._said) >= _MOST_TEXTS:
                return None
        self._said[key] = now
        return self._unsaid.pop(key, 0)


def more(unsaid: int) -> str:
    """`` or ` (and 12 times before, since it was last told)`, to end a sentence with."""
    return f" (and {unsaid} {'time' if unsaid == 1 else 'times'} before, since it was last told)" if unsaid else ""
