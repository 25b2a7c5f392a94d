"""A training recipe: everything that decides the weights besides the pictures, the model and the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from orilla_runtime.errors import UsageError

Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["cosine", "constant", "exponential", "step", "plateau"]
ClassWeights = Literal["none", "balanced"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How a training picture is changed, drawn anew for every picture and epoch; all off by default.

    flip: mirrored left to right, half of the pictures. shift: moved by up to this share of each side. rotation: turned
    by up to so many degrees. zoom: enlarged or shrunk by up to this share. brightness: up to this share of 255 added or
    taken away. contrast: differences from the mean stretched or squeezed by up to this share. erase: a square of this
    share of the side, anywhere, is made grey (Cutout, DeVries and Taylor 2017).
    """

    flip: bool = False
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name, highest in _HIGHEST.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= highest):
                raise UsageError(f"augmentation {name}={value} is not possible.", f"Take 0 to {highest:g}.")

    @property
    def changes(self) -> bool:
        """True where a picture is changed at all."""
        return self != Augmentation()

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """From `flip,shift=0.1,rotation=10`, or `none`.

        Raises:
            UsageError: a name or a value that is not known.
        """
        values: dict[str, Any] = {}
        for part in [] if text.strip() == "none" else text.split(","):
            name, _, value = part.strip().partition("=")
            values[name] = _switch(value) if name == "flip" else _number(name, value)
        return cls(**values)

    def __str__(self) -> str:
        shown = ["flip"] if self.flip else []
        shown += [f"{name}={getattr(self, name):g}" for name in _HIGHEST if getattr(self, name)]
        return ",".join(shown) or "none"


_HIGHEST = {"shift": 0.5, "rotation": 180.0, "zoom": 0.9, "brightness": 1.0, "contrast": 1.0, "erase": 0.9}


def _switch(value: str) -> bool:
    if value not in {"", "yes", "no"}:
        raise UsageError(f"flip={value} is not possible.", "Write flip, or leave it out.")
    return value != "no"


def _number(name: str, value: str) -> float:
    if name not in _HIGHEST:
        raise UsageError(f"There is no augmentation {name!r}.", f"Take some of flip, {', '.join(_HIGHEST)}, or none.")
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"augmentation {name}={value!r} is no number.", f"Write {name}=0.1.") from None


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """How a model is trained; each model of the zoo has its own, and `train` changes single fields by name.

    epochs: at most so many, of fine-tuning where the model is transferred (0 leaves it at the new head).
    batch_size: pictures in a step.
    optimizer: `adam`, `adamw` or `sgd` (Nesterov momentum of 0.9). learning_rate: the highest of the schedule.
    schedule: `cosine` falls to nothing over the epochs; `exponential` to a hundredth; `step` to a tenth after half and
        a hundredth after three quarters; `plateau` halves when validation stands still; `constant` stays.
    warm_up: share of the steps in which the rate rises from a hundredth (not with `plateau`).
    weight_decay: decoupled, per step, for `adamw` and `sgd`; biases and normalization are left out.
    label_smoothing: share of the truth that is spread over all classes. dropout: before the last layer.
    class_weights: `balanced` weighs a class by the inverse of its share.
    patience: epochs without a better validation before training stops.
    precision: `mixed_float16` and `mixed_bfloat16` for GPUs.
    head_epochs, head_learning_rate: of the new head on cached features, where the model is transferred.
    """

    epochs: int
    learning_rate: float
    patience: int
    batch_size: int = 32
    optimizer: Optimizer = "adam"
    schedule: Schedule = "cosine"
    warm_up: float = 0.05
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.2
    class_weights: ClassWeights = "none"
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Precision = "float32"
    head_epochs: int = 60
    head_learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        for name, low, high in _WHOLE:
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise UsageError(f"{name}={value!r} is not possible.", f"Take {low} to {high}.")
        for name, limit in _BELOW:
            value = getattr(self, name)
            if not 0 <= value < limit:
                raise UsageError(f"{name}={value} is not possible.", f"Take 0 to less than {limit:g}.")
        for name in ("learning_rate", "head_learning_rate"):
            if not 0 < getattr(self, name) <= 10:
                raise UsageError(f"{name}={getattr(self, name)} is not possible.", "Take about 0.001.")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise UsageError(f"{name}={getattr(self, name)!r} is not possible.", f"Take one of {', '.join(known)}.")
        if self.weight_decay and self.optimizer == "adam":
            raise UsageError("weight_decay does nothing with the optimizer adam.", "Take --optimizer adamw or sgd.")


_WHOLE = (("epochs", 0, 100_000), ("batch_size", 1, 65_536), ("patience", 1, 100_000), ("head_epochs", 1, 100_000))
_BELOW = (("warm_up", 1.0), ("weight_decay", 1.0), ("label_smoothing", 1.0), ("dropout", 1.0))
_CHOICES = {
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "class_weights": get_args(ClassWeights),
    "precision": get_args(Precision),
}

FIELDS = tuple(each.name for each in fields(TrainingRecipe))
"""What `train` takes by name, and the command line as options."""
