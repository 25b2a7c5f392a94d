"""The usual mistake with numbered classes: all of them are one too low or too high."""

from __future__ import annotations

from orilla.evaluation.intervals import percent
from orilla.evaluation.judgement import Judgement

_GAIN, _LEAST_CLASSES, _LEAST_PICTURES = 0.2, 10, 10


def misnumbered(judgement: Judgement) -> str:
    """A sentence where the predicted classes are right once they are counted one further; empty where they are not.

    Models of ImageNet with 1,001 outputs have `background` as class 0, which data numbered for 1,000 does not know.
    """
    if len(judgement.labels) < _LEAST_CLASSES or judgement.n < _LEAST_PICTURES:
        return ""
    for shift, word in ((-1, "higher"), (1, "lower")):
        right = sum(n for truth, predicted, n in judgement.confusion if predicted + shift == truth) / judgement.n
        if right > judgement.accuracy.top1 + _GAIN:
            return (
                f"If each class_id of the data were one {word}, {percent(right)} would be right "
                f"instead of {percent(judgement.accuracy.top1)}: they count from 0, and the model may have a "
                "background class in front."
            )
    return ""
