"""A split by whole groups that keeps every class as near to its shares as whole groups allow.

Greedy, after K. Sechidis, G. Tsoumakas, I. Vlahavas, On the stratification of multi-label data, ECML PKDD 2011: what is
rare is placed first. Then single groups move as long as that brings the classes nearer to their shares.
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
_PASSES = 4


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
    for attempt in range(_ATTEMPTS):
        order = np.array(sorted(range(len(known)), key=lambda row: _rank(seed, attempt, known[row])), np.int64)
        parts = _placed(task, order, by_cost=attempt == 0)
        lacking = task.needed & (_held(task, parts) == 0)
        if not lacking[[TRAIN, TEST]].any():
            return {group: int(parts[row]) for row, group in enumerate(known)}
    place = int(np.flatnonzero(lacking[[TRAIN, TEST]].any(axis=0))[0])
    raise UsageError(
        f"The groups tie the classes together: {called[place]} cannot stand both in train and in test.",
        "Add pictures of other groups, or group by something else.",
    )


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


def _placed(task: _Task, order: NDArray[np.int64], *, by_cost: bool) -> NDArray[np.int64]:
    """The part of each group: what classes need first, then the large groups, then what moves bring nearer."""
    parts = np.full(len(order), -1, np.int64)
    held = np.zeros_like(task.targets)
    weights = 1 / np.maximum(task.counts.sum(axis=0), 1)

    def cost(rows: NDArray[np.int64], part: int) -> NDArray[np.float64]:
        """What it adds to the squared distance from the targets to put each of the groups `rows` into a part."""
        more = task.counts[rows]
        added: NDArray[np.float64] = (more * (2 * (held[part] - task.targets[part]) + more) * weights).sum(axis=1)
        return added

    def put(row: int, part: int) -> None:
        parts[row] = part
        held[part] += task.counts[row]

    for place in np.argsort(np.count_nonzero(task.counts, axis=0), kind="stable"):
        for part in task.parts:
            if task.needed[part, place] and not held[part, place]:
                free = order[(parts[order] < 0) & (task.counts[order, place] > 0)]
                if len(free):
                    put(int(free[np.argmin(cost(free, part))] if by_cost else free[0]), part)
    rest = order[parts[order] < 0]
    for row in rest[np.argsort(-task.counts[rest].sum(axis=1), kind="stable")]:
        costs = [float(cost(np.array([row]), part)[0]) for part in task.parts]
        put(int(row), task.parts[int(np.argmin(costs))])
    _improve(task, parts, held, weights, order)
    return parts


def _improve(
    task: _Task,
    parts: NDArray[np.int64],
    held: NDArray[np.float64],
    weights: NDArray[np.float64],
    order: NDArray[np.int64],
) -> None:
    """Move single groups while that brings the classes nearer to their targets and takes no class from a part."""
    closed = [part for part in (TRAIN, TEST, VALIDATION) if part not in task.parts]
    for _ in range(_PASSES):
        moved = False
        for row in order:
            more, here = task.counts[row], parts[row]
            left = held[here] - more
            if (task.needed[here] & (left == 0) & (more > 0)).any():
                continue
            gain = (more * (2 * (held[here] - task.targets[here]) - more) * weights).sum()
            price = (more * (2 * (held - task.targets) + more) * weights).sum(axis=1)
            price[[*closed, here]] = np.inf
            there = int(np.argmin(price))
            if price[there] < gain - 1e-9:
                parts[row], held[here], moved = there, left, True
                held[there] += more
        if not moved:
            return


def _held(task: _Task, parts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([task.counts[parts == part].sum(axis=0) for part in (TRAIN, VALIDATION, TEST)])


def _rank(seed: int, attempt: int, group: str) -> tuple[bytes, str]:
    text = f"{seed}\0{attempt}\0{group}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).digest(), group
