"""Which artifact of a format runs when nobody names one: the fastest, unless another that is preferred keeps up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orilla_converters.timing import Latency

Sitting = Callable[[], dict[str, Latency]]
"""Measures once; by path."""
PREFERRED = ("int8", "mixed", "float32", "float16", "dynamic", "16x8")
"""The order where speed does not decide: small first, then exact, then what few machines run well."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact that passed its gate."""

    path: str
    format: str
    precision: str


def defaults(candidates: Sequence[Candidate], latencies: Mapping[str, Latency]) -> dict[str, str]:
    """The path of the default artifact of each format.

    Among those that the fastest is not clearly faster than, the first in the order of preference: a close race ends
    the same way each time. Without a latency for all of a format's artifacts, the order alone decides.

    Args:
        latencies: by path.
    """
    formats = dict.fromkeys(candidate.format for candidate in candidates)
    return {format_: _default([one for one in candidates if one.format == format_], latencies) for format_ in formats}


def settled(candidates: Sequence[Candidate], sit: Sitting) -> tuple[dict[str, str], dict[str, Latency]]:
    """The defaults and the latencies, which `sit` measures.

    What stands against the order of preference must be found twice, in two sittings with sessions of their own: a
    session that the machine treated badly is slow from beginning to end, and no statistic of its times can tell.
    """
    by_order, latencies = defaults(candidates, {}), sit()
    first = defaults(candidates, latencies)
    if first == by_order:
        return first, latencies
    second = defaults(candidates, sit())
    return {key: path if second[key] == path else by_order[key] for key, path in first.items()}, latencies


def _default(candidates: Sequence[Candidate], latencies: Mapping[str, Latency]) -> str:
    able = list(candidates)
    if all(candidate.path in latencies for candidate in candidates):
        fastest = min((latencies[candidate.path] for candidate in candidates), key=lambda latency: latency.median)
        able = [candidate for candidate in candidates if not fastest.clearly_below(latencies[candidate.path])]
    return min(able, key=lambda candidate: PREFERRED.index(candidate.precision)).path
