"""What the figures say, in sentences: the summary, and the limits that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orilla.evaluation.evaluate import Evaluation
from orilla.evaluation.intervals import Estimate, percent
from orilla.evaluation.judgement import ClassScores, Judgement
from orilla.evaluation.signs import Sign

FEW, FEWEST = 30, 5
"""Pictures of a class of which little is known, and of which nothing can be said."""
WEAK = 0.9
APART = 0.05
MISCALIBRATED = 0.05
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Sentence:
    """One finding; `kind` is good, bad or plain."""

    kind: str
    text: str


def span(estimate: Estimate) -> str:
    """`97.5 % (95.1 – 98.9 %)`."""
    return f"{percent(estimate.value)} ({estimate.low * 100:.1f} – {percent(estimate.high)})"


def summary(evaluation: Evaluation, judgement: Judgement, signs: Sequence[Sign], *, trained: bool) -> list[Sentence]:
    """The page's first lines: what matters, the worst not left out."""
    accuracy = judgement.accuracy
    interval = f"{accuracy.low * 100:.1f} to {percent(accuracy.high)}"
    found = [
        Sentence(
            "plain",
            f"{percent(accuracy.top1)} of {judgement.n} pictures are right (95 % interval {interval}); "
            f"{_counted(judgement.errors, 'is', 'are')} wrong.",
        ),
        *_means(judgement),
        *_weakest(judgement),
        *_confused(judgement),
        _calibrated(judgement),
        *_threshold(judgement),
        *(Sentence("bad", text) for one in judgement.slices for text in one.findings),
        *_even(judgement),
        *(Sentence("bad", sign.text) for sign in signs),
    ]
    if trained and not signs:
        found.append(Sentence("good", "The curves of the training show no sign of over- or underfitting."))
    if evaluation.failed:
        found.append(Sentence("bad", f"{_counted(len(evaluation.failed), 'picture', 'pictures')} could not be read."))
    return found


def limits(evaluation: Evaluation, judgement: Judgement) -> list[str]:
    """What is not known of the model, or known to be weak."""
    found = ["The figures hold for pictures like these: other cameras, light and places were not tried."]
    if evaluation.part == "train":
        found.append("These pictures trained the model: the figures say what it remembers, not what it can do.")
    absent = [one.label for one in judgement.classes if not one.support]
    if absent:
        found.append(f"Nothing is known of {_names(absent)}: no picture of {_them(absent)} was judged.")
    few = [one.label for one in judgement.classes if 0 < one.support < FEW]
    if few:
        found.append(f"Little is known of {_names(few)}: fewer than {FEW} pictures each.")
    weak = [f"{one.label} ({percent(recall.value)})" for one, recall in _ranked(judgement) if recall.high < WEAK]
    if weak:
        found.append(f"Weak classes, surely found in less than {WEAK * 100:.0f} % of their pictures: {_names(weak)}.")
    if judgement.slices:
        found.append(f"Compared by {_names([one.column for one in judgement.slices])}; by nothing else.")
    else:
        found.append(
            "No slices were judged: whether the model is worse for some camera, place or group is not known (--slice)."
        )
    found.append(
        "A picture of something else gets one of these classes all the same; a threshold rejects some of these, and "
        "how many was not tried."
    )
    return found


def _means(judgement: Judgement) -> list[Sentence]:
    balanced, top_k = judgement.balanced_accuracy, judgement.top_k
    present = [one for one in judgement.classes if one.support]
    if len(present) < 2:
        return []
    text = f"Over classes: balanced accuracy {span(balanced)}, macro-F1 {span(judgement.macro_f1)}."
    if top_k is not None:
        text += f" Among the best {judgement.k}: {span(top_k)}."
    found = [Sentence("plain", text)]
    if judgement.accuracy.top1 - balanced.value > APART:
        largest = max(present, key=lambda one: one.support)
        share = percent(largest.support / judgement.n)
        found.append(
            Sentence(
                "bad",
                f"The accuracy looks better than the model is: {share} of the pictures are “{largest.label}”, and "
                "classes with fewer are found less often.",
            )
        )
    return found


def _ranked(judgement: Judgement) -> list[tuple[ClassScores, Estimate]]:
    """The classes with enough pictures to tell, those that are surely weak first."""
    there = [(one, one.recall) for one in judgement.classes if one.recall is not None and one.support >= FEWEST]
    return sorted(there, key=lambda pair: (pair[1].high, pair[1].value, pair[0].label))


def _weakest(judgement: Judgement) -> list[Sentence]:
    present = [one for one in judgement.classes if one.support]
    if len(present) < 2:
        return []
    if all(one.hits == one.support for one in present):
        return [Sentence("good", "Every picture of every class is found.")]
    ranked = _ranked(judgement)
    if not ranked:
        return []
    worst, recall = ranked[0]
    text = f"Found least often: “{worst.label}”, in {worst.hits} of {worst.support} pictures: {span(recall)}."
    return [Sentence("bad" if recall.high < WEAK else "plain", text)]


def _confused(judgement: Judgement) -> list[Sentence]:
    wrong = [cell for cell in judgement.confusion if cell[0] != cell[1]]
    if not wrong:
        return []
    truth, predicted, n = max(wrong, key=lambda cell: cell[2])
    if n < 2:
        return [Sentence("plain", "No two classes are confused more than once.")]
    named = f"“{judgement.labels[truth]}” is taken for “{judgement.labels[predicted]}”"
    return [Sentence("plain", f"The most frequent confusion: {named}, {n} times.")]


def _calibrated(judgement: Judgement) -> Sentence:
    found = judgement.calibration
    if found.ece <= MISCALIBRATED:
        return Sentence("good", f"The scores mean what they say: calibration error {percent(found.ece)}.")
    way = "too sure" if found.overconfidence > 0 else "not sure enough"
    return Sentence(
        "bad",
        f"The scores do not mean what they say: calibration error {percent(found.ece)}, on average {way} by "
        f"{abs(found.overconfidence) * 100:.1f} points.",
    )


def _threshold(judgement: Judgement) -> list[Sentence]:
    thresholds = judgement.thresholds
    proposed = thresholds.proposed
    if proposed is None:
        return [Sentence("bad", f"Not possible with any threshold: {thresholds.wanted}.")]
    text = (
        f"For {thresholds.wanted}, the threshold is {proposed.threshold:g}: {percent(proposed.coverage)} are accepted"
    )
    if proposed.missed is not None:
        return [Sentence("plain", f"{text}, and {span(proposed.missed)} of the defects are missed.")]
    if proposed.errors is not None:
        return [Sentence("plain", f"{text}, {span(proposed.errors)} of these are wrong.")]
    return [Sentence("plain", f"{text}.")]


def _even(judgement: Judgement) -> list[Sentence]:
    even = [one.column for one in judgement.slices if not one.findings]
    return [Sentence("good", f"No {column} is significantly worse than the others.") for column in even]


def _counted(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
