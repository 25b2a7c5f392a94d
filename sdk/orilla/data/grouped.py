"""A split by whole groups that keeps every class as near to its shares as whole groups allow.

Greedy, after K. Sechidis, G. Tsoumakas, I. Vlahavas, On the stratification of multi-label data, ECML PKDD 2011: what is
rare is placed first. Then groups move, or change places, as long as that brings the classes nearer to their shares. It
begins several times in another order, and the best end is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import UsageError

TRAIN, VALIDATION, TEST = 0, 1, 2
_ATTEMPTS = 8
_PASSES = 6
_GAIN = 1e-9
_FEW = 1000
"""So many groups change places and begin several times; more are even without it, and it would take long."""


@dataclass(frozen=True, slots=True)
class _Task:
    """counts: int64 [groups, classes]. targets: pictures wanted, float64 [3, classes]. needed: bool [3, classes].

    parts: those with a share.
    """

    counts: NDArray[np.int64]
    targets: NDArray[np.float64]
    needed: NDArray[np.bool_]
    parts: tuple[int, ...]


def part_of_groups(
    groups: Sequence[str],
    class_ids: Sequence[int],
    seed: int,
    *,
    validation: float,
    test: float,
    names: Sequence[str] | None = None,
) -> dict[str, int]:
    """TRAIN, VALIDATION or TEST for each group; a pure function of the set of (group, class), the seed and the shares.

    Every class has a group in train; from two groups on it has one in test, from three on one in validation, where
    these shares are not 0 and the other classes of its groups allow it.

    Args:
        groups, class_ids: of each picture. names: the classes' names, for errors.

    Raises:
        UsageError: all pictures of a class are one group, or groups tie classes together so that no split is possible.
    """
    known = sorted(set(groups))
    ids, columns = np.unique(np.asarray(class_ids, np.int64), return_inverse=True)
    rows = {group: row for row, group in enumerate(known)}
    counts = np.zeros((len(known), len(ids)), np.int64)
    for group, column in zip(groups, columns.tolist(), strict=True):
        counts[rows[group], column] += 1
    called = [names[class_id] if names else str(class_id) for class_id in ids.tolist()]
    task = _task(known, counts, called, validation, test)
    ends = []
    for attempt in range(_ATTEMPTS):
        order = np.array(sorted(range(len(known)), key=lambda row: _rank(seed, attempt, known[row])), np.int64)
        ends.append(_placed(task, order))
        if len(known) > _FEW and not ends[-1].lacking()[[TRAIN, TEST]].any():
            break
    best = min(ends, key=lambda layout: layout.badness())
    lacking = best.lacking()[[TRAIN, TEST]].any(axis=0)
    if lacking.any():
        raise UsageError(
            f"The groups tie the classes together: {called[int(np.argmax(lacking))]} cannot train and test.",
            "Add pictures of other groups, or group by something else.",
        )
    return {group: int(best.parts[row]) for row, group in enumerate(known)}


def _task(
    known: Sequence[str], counts: NDArray[np.int64], called: Sequence[str], validation: float, test: float
) -> _Task:
    holders = np.count_nonzero(counts, axis=0)
    for place in np.flatnonzero(holders == 1).tolist():
        total = int(counts[:, place].sum())
        if total > 1 and (validation or test):
            group = known[int(np.flatnonzero(counts[:, place])[0])].lstrip("\0")
            raise UsageError(
                f"All {total} pictures of {called[place]} are one group ({group}): they can train or test, not both.",
                "Add pictures of another group to the class, leave the class out, or group by something else.",
            )
    shares = np.array([1 - validation - test, validation, test])
    enough = np.array([1, 2 + bool(test), 2])[:, np.newaxis]
    needed = (holders >= enough) & (shares > 0)[:, np.newaxis]
    parts = tuple(part for part in (TRAIN, TEST, VALIDATION) if shares[part] > 0)
    return _Task(counts, np.outer(shares, counts.sum(axis=0)), needed, parts)


class _Layout:
    """Where each group stands (-1: nowhere yet), and what the parts hold of each class."""

    def __init__(self, task: _Task) -> None:
        self.task = task
        self.parts = np.full(len(task.counts), -1, np.int64)
        self.held = np.zeros_like(task.targets)
        self._weights = 1 / np.maximum(task.counts.sum(axis=0), 1)

    def put(self, row: int, part: int) -> None:
        """Put a group into a part, from where it stands."""
        if self.parts[row] >= 0:
            self.held[self.parts[row]] -= self.task.counts[row]
        self.parts[row] = part
        self.held[part] += self.task.counts[row]

    def cost(self, more: NDArray[np.int64], part: int | NDArray[np.int64]) -> NDArray[np.float64]:
        """What the squared distance from the targets grows by when `more` [..., classes] comes into a part."""
        off = self.held[part] - self.task.targets[part]
        grown: NDArray[np.float64] = (more * (2 * off + more) * self._weights).sum(axis=-1)
        return grown

    def keeps(self, part: int, more: NDArray[np.int64]) -> bool:
        """Whether a part that changes by `more` still has every class that it needs."""
        return not (self.task.needed[part] & (self.held[part] + more == 0) & (more < 0)).any()

    def lacking(self) -> NDArray[np.bool_]:
        """bool [3, classes]: what parts need and have not."""
        missing: NDArray[np.bool_] = self.task.needed & (self.held == 0)
        return missing

    def badness(self) -> tuple[int, float]:
        """First what is lacking, then the distance from the targets."""
        off = self.held - self.task.targets
        return int(self.lacking().sum()), round(float((off * off * self._weights).sum()), 9)


def _placed(task: _Task, order: NDArray[np.int64]) -> _Layout:
    """What classes need first, rare classes before others; then the large groups; then moves."""
    layout = _Layout(task)
    for place in np.argsort(np.count_nonzero(task.counts, axis=0), kind="stable").tolist():
        for part in task.parts:
            if task.needed[part, place] and not layout.held[part, place]:
                free = order[(layout.parts[order] < 0) & (task.counts[order, place] > 0)]
                if len(free):
                    layout.put(int(free[0]), part)
    rest = order[layout.parts[order] < 0]
    for row in rest[np.argsort(-task.counts[rest].sum(axis=1), kind="stable")].tolist():
        layout.put(row, min(task.parts, key=lambda part: float(layout.cost(task.counts[row], part))))
    for _ in range(_PASSES):
        changed = [_moved(layout, row) or _swapped(layout, row) for row in order.tolist()]
        if not any(changed):
            break
    return layout


def _moved(layout: _Layout, row: int) -> bool:
    """Move a group to the part where it fits better, if there is one."""
    more, here = layout.task.counts[row], int(layout.parts[row])
    others = [part for part in layout.task.parts if part != here]
    if not others or not layout.keeps(here, -more):
        return False
    there = min(others, key=lambda part: float(layout.cost(more, part)))
    if float(layout.cost(more, there) + layout.cost(-more, here)) > -_GAIN:
        return False
    layout.put(row, there)
    return True


def _swapped(layout: _Layout, row: int) -> bool:
    """Let a group change places with the one of another part that fits best, if that is better."""
    counts, here = layout.task.counts, int(layout.parts[row])
    if len(counts) > _FEW:
        return False
    change = counts - counts[row]
    gains = layout.cost(change, here) + layout.cost(-change, layout.parts)
    gains[layout.parts == here] = np.inf
    other = int(np.argmin(gains))
    there = int(layout.parts[other])
    if gains[other] > -_GAIN or not (layout.keeps(here, change[other]) and layout.keeps(there, -change[other])):
        return False
    layout.put(row, there)
    layout.put(other, here)
    return True


def _rank(seed: int, attempt: int, group: str) -> tuple[bytes, str]:
    text = f"{seed}\0{attempt}\0{group}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).digest(), group
