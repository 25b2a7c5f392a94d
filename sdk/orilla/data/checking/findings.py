"""A finding: what is wrong or remarkable about a set, what to do about it, and which files it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orilla_runtime.text import printable

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a look at the pictures brought up.

    severity: `error`: training refuses it, or its figures would be wrong; `warning`: the model may well be worse for
        it; `note`: worth knowing.
    code: short and stable, for programs.
    text: what is there and what to do, one or two sentences.
    groups: the files, as relative paths with `/`; those that belong together (copies of one picture) in one group.
    reasons: for each group why, where that differs between them; else empty.
    """

    severity: Severity
    code: str
    text: str
    groups: tuple[tuple[str, ...], ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All files of it."""
        return tuple(path for group in self.groups for path in group)

    def examples(self, most: int = _NAMED) -> tuple[str, ...]:
        """At most `most` lines for people: a file or a group of files each; the last says how many more there are."""
        lines = [self._example(place) for place in range(min(most, len(self.groups)))]
        more = len(self.groups) - len(lines)
        return (*lines, f"… and {more:,} more") if more > 0 else tuple(lines)

    def _example(self, place: int) -> str:
        if self.reasons:
            return printable(self.reasons[place])
        group = self.groups[place]
        named = " = ".join(printable(path) for path in group[:_NAMED])
        return f"{named} = … {len(group) - _NAMED:,} more" if len(group) > _NAMED else named

    def as_object(self) -> dict[str, Any]:
        """For JSON: every path, in its group."""
        return {
            "severity": self.severity,
            "code": self.code,
            "text": self.text,
            "groups": [list(group) for group in self.groups],
            "reasons": list(self.reasons),
        }


def each(paths: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of one file."""
    return tuple((path,) for path in paths)


def count(number: int, one: str, several: str) -> str:
    """`1 picture`, `2,000 pictures`."""
    return f"{number:,} {one if number == 1 else several}"


def pictures(number: int) -> str:
    """`1 picture`, `2,000 pictures`."""
    return count(number, "picture", "pictures")
