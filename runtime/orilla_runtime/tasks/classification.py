"""Classification: one picture, one distribution over classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import ModelError
from orilla_runtime.records import dataclass
from orilla_runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and its score. `class_id` is the identity: labels may repeat."""

    label: str
    class_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the scores: a class, or `unknown` (`class_id` None) with the reason why none is good enough.

    `score`: of the class, or of the one that was not good enough; smoothed where that was asked for.
    """

    label: str
    class_id: int | None
    score: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Classification:
    """The best classes of one picture, best first; classes with equal scores stand in class order.

    `decision` is there where a run has rules for it (`orilla_runtime.decisions`).
    """

    predictions: tuple[Prediction, ...]
    decision: Decision | None = None

    @property
    def top(self) -> Prediction:
        """The best class."""
        return self.predictions[0]


class ClassificationTask:
    """Decodes one output of class scores.

    Args:
        labels: names in class order.
        output: `probabilities`, or `logits` that a softmax turns into probabilities here, in float.
        temperature: divides the logits (Guo et al. 2017, "On Calibration of Modern Neural Networks").
        label_offset: leading outputs that have no label (1 where output 0 is "background").
        top: how many classes a result holds.
    """

    name = "classification"

    def __init__(
        self,
        labels: tuple[str, ...],
        output: str = "probabilities",
        temperature: float = 1.0,
        label_offset: int = 0,
        top: int = 5,
    ) -> None:
        self.labels = labels
        self.output = output
        self.temperature = temperature
        self.label_offset = label_offset
        self.top = min(top, len(labels))

    def scores(self, outputs: tuple[NDArray[Any], ...], specs: tuple[TensorSpec, ...]) -> NDArray[np.float32]:
        """Probabilities in class order, float32 [classes].

        Raises:
            ModelError: the output holds values that are not finite, or another number of them than there are labels.
        """
        values = specs[0].real(outputs[0]).reshape(-1)[self.label_offset :]
        if values.size != len(self.labels):
            raise ModelError(
                f"The model gives {values.size + self.label_offset} scores for {len(self.labels)} labels.",
                "Give as many labels as the model has classes (--labels, --label-offset).",
            )
        if self.output == "logits" or self.temperature != 1.0:
            values = self._softmax(values)
        if not np.isfinite(values).all():
            raise ModelError(
                "The model's scores are not finite numbers.", "The model file is ruined: convert it again."
            )
        return values

    def decode(self, outputs: tuple[NDArray[Any], ...], specs: tuple[TensorSpec, ...]) -> Classification:
        """The `top` best classes."""
        scores = self.scores(outputs, specs)
        best = np.argsort(-scores, kind="stable")[: self.top]
        return Classification(tuple(Prediction(self.labels[i], int(i), float(scores[i])) for i in best))

    def _softmax(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.output == "probabilities":
            values = np.log(np.maximum(values, np.finfo(np.float32).tiny))
        shifted = np.exp((values - values.max()) / np.float32(self.temperature))
        probabilities: NDArray[np.float32] = shifted / shifted.sum()
        return probabilities
