"""What `--repair` does about an artifact that failed: a ladder, each rung measured, the first that passes is taken.

equalized channels → tensors with outliers, and their neighbours, in float → 16x8 → dynamic range → float16

Biases are corrected for the weights' rounding in every int8 artifact, repaired or not (bias_correction.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orilla_converters.diagnose import Diagnosis
from orilla_converters.layer_report import LayerReport
from orilla_converters.progress import Progress, Step
from orilla_converters.recipe import MEANINGS, Recipe
from orilla_converters.verify import Judge, Verdict
from orilla_runtime.errors import OrillaError, UsageError

LOWER = ("16x8", "dynamic", "float16")
"""What comes behind int8, in this order."""
SEARCHES = 4
LEAST_SPREAD = 4.0
"""A tensor whose largest channel is less than this many times the middle one has no outlier."""

Source = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hands:
    """What the ladder works with.

    make: the bytes of an artifact from a model (a job's parameters) and a recipe. equalize: the value of that job.
    examine: the diagnosis of an artifact that was made from a model.
    """

    make: Callable[[Source, Recipe], bytes]
    equalize: Callable[[], dict[str, Any]]
    examine: Callable[[Source, Verdict], Diagnosis]
    judge: Judge
    source: Source
    say: Progress


@dataclass(frozen=True, slots=True)
class Repair:
    """`verdict` of the artifact that passed, or None; `tried`, each rung with what was measured, in words."""

    verdict: Verdict | None
    tried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rung:
    """One attempt: what it does, with which model and recipe. Without a recipe it cannot be done: `what` says why."""

    what: str
    source: Source
    recipe: Recipe | None


def repair(hands: Hands, failed: Verdict, diagnosis: Diagnosis) -> Repair:
    """Climb down the ladder for one artifact that failed its gate."""
    tried = [f"{failed.recipe}: {_outcome(failed)}; {diagnosis.finding()}"]
    ladder = _ladder(hands, failed, diagnosis)
    verdict: Verdict | None = None
    while True:
        try:
            rung = ladder.send(verdict)
        except StopIteration:
            return Repair(None, tuple(tried))
        verdict = None
        if rung.recipe is None:
            tried.append(rung.what)
            continue
        hands.say(Step("repair", f"{failed.recipe.name}: {rung.what}"))
        try:
            data = hands.make(rung.source, rung.recipe)
            verdict = hands.judge.verdict(rung.recipe, data)
        except OrillaError as error:
            tried.append(f"{rung.what}: {error.message}")
            continue
        tried.append(f"{rung.what}: {_outcome(verdict)}")
        if not verdict.shortcomings:
            return Repair(replace(verdict, repairs=tuple(tried)), tuple(tried))


def _ladder(hands: Hands, failed: Verdict, diagnosis: Diagnosis) -> Generator[_Rung, Verdict | None, None]:
    """The rungs, best first. Each is answered with its verdict, or with None where there was none."""
    recipe, best, layers = failed.recipe, hands.source, diagnosis.layers
    if recipe.precision in {"int8", "mixed", "16x8", "dynamic"}:
        value = _equalized(hands)
        if "path" in value:
            source = {"model": value["path"], "raw": True, "normalization": None}
            verdict = yield _Rung(f"{len(value['pairs'])} pairs of layers equalized", source, recipe)
            if verdict is not None:
                best = source
                layers = hands.examine(source, verdict).layers or layers
        else:
            yield _Rung(f"equalization: {value['why']}", best, None)
    if recipe.precision == "int8" and (recipe.format, "mixed") in MEANINGS and recipe.io != "integer":
        sets = list(outliers(layers)) if layers is not None else []
        for kept in sets:
            what = f"{', '.join(kept)} in float"
            try:
                mixed = replace(recipe, precision="mixed", float_layers=kept)
            except UsageError:
                yield _Rung(f"{what}: a recipe cannot spell these names", best, None)
                continue
            yield _Rung(what, best, mixed)
        if not sets:
            yield _Rung("mixed: no tensor has an outlier", best, None)
    for precision in LOWER:
        meaning = MEANINGS.get((recipe.format, precision))
        if meaning is not None and _worse(recipe.precision, precision):
            io = recipe.io if recipe.io in meaning.ios else "uint8"
            yield _Rung(precision, hands.source, replace(recipe, precision=precision, io=io, float_layers=()))


def _equalized(hands: Hands) -> dict[str, Any]:
    """That job's value; where the job fails, the next rungs are still there."""
    try:
        return hands.equalize()
    except OrillaError as error:
        return {"why": error.message}


def _worse(now: str, then: str) -> bool:
    """Whether `then` stands further down the ladder."""
    order = ("int8", "mixed", *LOWER)
    return now in order and order.index(then) > order.index(now)


def outliers(layers: LayerReport) -> Iterator[tuple[str, ...]]:
    """Growing sets of layers to keep in float: those whose outputs have an outlier, and those that read them.

    A reader in int8 would quantize what it reads, and the outlier with it.
    """
    rows = layers.rows
    most = max((row.spread for row in rows), default=0.0)
    before: tuple[str, ...] = ()
    searches, share = 0, 2.0
    while searches < SEARCHES and most / share >= LEAST_SPREAD:
        uneven = {row.layer for row in rows if row.spread >= most / share}
        kept = tuple(row.layer for row in rows if row.layer in uneven or uneven & set(row.reads))
        kept = tuple(dict.fromkeys(kept))
        share *= 4
        if kept != before and len(kept) < len(rows):
            before, searches = kept, searches + 1
            yield kept


def _outcome(verdict: Verdict) -> str:
    if verdict.shortcomings:
        return ", ".join(verdict.shortcomings)
    assert verdict.comparison is not None
    metrics = verdict.comparison.metrics
    words = [f"agreement {metrics.agreement * 100:.1f} %"]
    if metrics.accuracy is not None and metrics.keras_accuracy is not None:
        words.insert(0, f"top-1 {metrics.accuracy.top1 * 100:.1f} % (Keras {metrics.keras_accuracy.top1 * 100:.1f} %)")
    if metrics.sqnr_db is not None:
        words.append(f"SQNR {metrics.sqnr_db:.1f} dB")
    return f"passed with {', '.join(words)}, {len(verdict.data)} bytes"
