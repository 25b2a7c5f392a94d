"""What the zoo knows of one model: how it is built, where its weights come from, how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orilla.models.recipe import TrainingRecipe
from orilla_runtime.preprocess import Channels, Fit

IMAGENET, RANDOM = "imagenet", "random"
"""What `load_weights` knows by name; everything else is the path of a file."""


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """Where pretrained weights come from, in words, and their licence."""

    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model and how it is trained unless the user says otherwise.

    build: called with image_size, depth, classes; gives a `keras.Model` from `image`, float32 [n, size, size, depth] of
        raw pixels 0..255, to `probabilities`. Layers: `features` [n, f], then `logits`, then `probabilities`.
    load_weights: for transfer: called with a built model and `imagenet`, `random` or the path of a file; gives the
        model these weights, all but the `logits` of other classes.
    frozen_before: for transfer: the first layer that fine-tuning changes.
    weights: for transfer: where the pretrained weights come from, and under which licence.
    image_size: side in pixels; from scratch the largest that is taken unasked, smaller pictures keep theirs.
    channels: what it can be trained on, the default first.
    fit: how a picture becomes square. A pretrained net knows things in their proportions: cut to the centre square,
        cats and dogs came out better than squashed. From scratch nothing of the picture is cut off.
    recipe: how it is trained; `train` changes single fields of it. scratch: in its place where a model of transfer
        starts from random weights.
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
    load_weights: Callable[[Any, str], None] | None = None
    frozen_before: str = ""
    weights: WeightsOrigin | None = None
    scratch: TrainingRecipe | None = None

    @property
    def transfer(self) -> bool:
        """True where training starts from pretrained weights, unless it is told to start from random ones."""
        return self.load_weights is not None

    def recipe_from(self, weights: str) -> TrainingRecipe:
        """How the model is trained when it starts from `weights`: a name, a file, or nothing from scratch."""
        return self.scratch if weights == RANDOM and self.scratch is not None else self.recipe
