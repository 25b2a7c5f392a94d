"""What the zoo knows of one model: how it is built, where its weights come from, how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orilla.models.recipe import TrainingRecipe
from orilla_runtime.preprocess import Channels, Fit


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model and how it is trained unless the user says otherwise.

    build: called with image_size, depth, classes; gives a `keras.Model` from `image`, float32 [n, size, size, depth] of
        raw pixels 0..255, to `probabilities`. Layers: `features` [n, f], then `logits`, then `probabilities`.
    load_weights: for transfer: gives a built model its pretrained weights, all but the `logits` of other classes.
    frozen_before: for transfer: the first layer that fine-tuning changes.
    image_size: side in pixels; from scratch the largest that is taken unasked, smaller pictures keep theirs.
    channels: what it can be trained on, the default first.
    fit: how a picture becomes square. A pretrained net knows things in their proportions: cut to the centre square,
        cats and dogs came out better than squashed. From scratch nothing of the picture is cut off.
    recipe: how it is trained; `train` changes single fields of it.
    """

    name: str
    description: str
    build: Callable[..., Any]
    image_size: int
    smallest: int
    largest: int
    channels: tuple[Channels, ...]
    fit: Fit
    recipe: TrainingRecipe
    load_weights: Callable[[Any], None] | None = None
    frozen_before: str = ""

    @property
    def transfer(self) -> bool:
        """True where training starts from pretrained weights."""
        return self.load_weights is not None
