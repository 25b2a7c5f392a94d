"""Where an artifact stands among the others: against float32 of its format, and whether another beats it altogether."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orilla_converters.choice import Candidate, defaults
from orilla_converters.metrics import Scores
from orilla_converters.progress import Note
from orilla_converters.recipe import Recipe
from orilla_converters.timing import Latency
from orilla_converters.verify import Verdict
from orilla_runtime.bundle.manifest import Accuracy

FEW_PICTURES = 100
SLOWER = 0.05
"""By how much float32 must be faster before an artifact is called slower: a word costs less than a default."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict among the others. `latency` is None where nothing was timed or no engine here runs the artifact.

    size_ratio, time_ratio: of float32 of the same format; None where there is none. slower: than that, clearly.
    larger: not smaller than that although it was made to be. default: of its format. pareto: no other is at least as
    good in accuracy, latency and size and better in one.
    """

    verdict: Verdict
    path: str
    latency: Latency | None = None
    size_ratio: float | None = None
    time_ratio: float | None = None
    slower: bool = False
    larger: bool = False
    default: bool = False
    pareto: bool = False


class Judged(Protocol):
    """A verdict of any kind, as far as its place among the others asks."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def data(self) -> bytes: ...
    @property
    def shortcomings(self) -> tuple[str, ...]: ...


class Row(Protocol):
    """Where a verdict of any kind stands."""

    @property
    def verdict(self) -> Judged: ...
    @property
    def path(self) -> str: ...
    @property
    def latency(self) -> Latency | None: ...
    @property
    def size_ratio(self) -> float | None: ...
    @property
    def time_ratio(self) -> float | None: ...
    @property
    def slower(self) -> bool: ...
    @property
    def larger(self) -> bool: ...
    @property
    def default(self) -> bool: ...


def artifact_path(verdict: Judged) -> str:
    """The artifact's place in the bundle."""
    return f"artifacts/{verdict.recipe.name}"


def candidates(verdicts: Sequence[Judged]) -> list[Candidate]:
    """Those that passed their gates."""
    return [
        Candidate(artifact_path(verdict), verdict.recipe.format, verdict.recipe.precision)
        for verdict in verdicts
        if not verdict.shortcomings
    ]


def standings(
    verdicts: Sequence[Verdict], latencies: Mapping[str, Latency], chosen: Mapping[str, str]
) -> tuple[Standing, ...]:
    """All verdicts of a conversion, in their order.

    Args:
        latencies: by path; empty where nothing was timed.
        chosen: the path of each format's default.
    """
    passed = [verdict for verdict in verdicts if not verdict.shortcomings]
    return tuple(
        Standing(
            verdict,
            artifact_path(verdict),
            latencies.get(artifact_path(verdict)),
            default=chosen.get(verdict.recipe.format) == artifact_path(verdict),
            pareto=verdict in passed and not any(_beats(other, verdict, latencies) for other in passed),
            **beside_float32(verdict, verdicts, latencies),
        )
        for verdict in verdicts
    )


def beside_float32(verdict: Judged, verdicts: Sequence[Judged], latencies: Mapping[str, Latency]) -> dict[str, Any]:
    """`size_ratio`, `larger`, `time_ratio` and `slower` where float32 of the same format is there."""
    base = _float32(verdict, verdicts)
    if base is None:
        return {}
    ratio = len(verdict.data) / len(base.data)
    found: dict[str, Any] = {"size_ratio": ratio, "larger": verdict.recipe.precision != "float32" and ratio >= 1}
    ours, theirs = latencies.get(artifact_path(verdict)), latencies.get(artifact_path(base))
    if ours is not None and theirs is not None:
        found["time_ratio"] = ours.median / theirs.median
        found["slower"] = theirs.clearly_below(ours, SLOWER)
    return found


def _float32(verdict: Judged, verdicts: Sequence[Judged]) -> Judged | None:
    """Float32 of the same format, with the same input and batch where there is such a one."""
    recipe = verdict.recipe
    same = [one for one in verdicts if (one.recipe.format, one.recipe.precision) == (recipe.format, "float32")]
    alike = [one for one in same if (one.recipe.io, one.recipe.batch) == (recipe.io, recipe.batch)]
    return next(iter([*alike, *same]), None)


def _beats(one: Verdict, other: Verdict, latencies: Mapping[str, Latency]) -> bool:
    """Whether `one` dominates `other`. A time counts as worse only where it clearly is: noise must decide nothing."""
    ours, theirs = latencies.get(artifact_path(one)), latencies.get(artifact_path(other))
    faster = ours is not None and theirs is not None and ours.clearly_below(theirs)
    slower = ours is not None and theirs is not None and theirs.clearly_below(ours)
    sizes, quality = (len(one.data), len(other.data)), (_quality(one), _quality(other))
    if slower or sizes[0] > sizes[1] or quality[0] < quality[1]:
        return False
    return faster or sizes[0] < sizes[1] or quality[0] > quality[1]


def _quality(verdict: Verdict) -> float:
    """Top-1 where there are labels, else agreement with Keras."""
    if verdict.comparison is None:
        return 0.0
    metrics = verdict.comparison.metrics
    return metrics.agreement if metrics.accuracy is None else metrics.accuracy.top1


def few_pictures(n: int) -> list[Note]:
    """What to know of figures that hang on a handful of pictures."""
    if n >= FEW_PICTURES:
        return []
    return [Note(f"Only {n} pictures judge: one of them is {100 / n:.1f} points. The interval says how sure that is.")]


def near_chance(keras: Accuracy | None, truth: NDArray[np.int64] | None) -> list[Note]:
    """What to know where Keras itself is hardly better than a guess: every artifact may agree with a wrong set-up.

    A guess names the most frequent class of `truth` each time.
    """
    if keras is None or truth is None:
        return []
    guess = float(np.bincount(truth).max() / len(truth))
    if keras.top1 > min(0.5, 2 * guess):
        return []
    right, always = (f"{share * 100:.1f} %" for share in (keras.top1, guess))
    text = f"Keras itself is right on {right} of the pictures, and naming one class always on {always}"
    return [Note(f"{text}: check the order of the labels, the normalization and how pictures are fitted.")]


def alike(keras: Scores) -> list[Note]:
    """What to know where Keras tells no picture from another: agreement with it proves nothing then."""
    if len(keras) < 2 or float(np.ptp(keras, axis=0).max()) > 1e-6:
        return []
    return [Note("Keras gives all pictures the same scores, so agreement proves nothing: was the model trained?")]


def remarks(rows: Sequence[Row]) -> list[Note]:
    """What was made small or fast and is not, and where the default is not the one that is preferred otherwise."""
    preferred = defaults(candidates([row.verdict for row in rows]), {})
    notes = []
    for row in rows:
        name, format_ = row.verdict.recipe.name, row.verdict.recipe.format
        if row.slower and row.latency is not None:
            notes.append(f"{name} is slower than float32 here: {row.time_ratio:.2f}x, {row.latency.median:.3g} ms.")
        if row.larger:
            notes.append(f"{name} is larger than float32: {row.size_ratio:.2f}x, {len(row.verdict.data):,} bytes.")
        if row.default and row.path != preferred[format_]:
            slow = preferred[format_].removeprefix("artifacts/")
            notes.append(f"{name} is the default for {format_}: it is clearly faster here than {slow}.")
    return [Note(text) for text in notes]
