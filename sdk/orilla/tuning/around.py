"""Which space is searched: what the user names, and around each model's own recipe what he does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orilla.data.sample import look_at
from orilla.models.recipe import FIELDS, Augmentation, TrainingRecipe
from orilla.models.zoo import ModelEntry, entry_of
from orilla.tuning.space import Choice, Dimension, Range, Value, searched, single, with_type
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

MODEL = "model"
IMAGE_SIZE = "image_size"
_WORDS = ("channels", "fit", "weights")
"""Options of `train` beside the recipe that may be searched or fixed."""

_STRONG = Augmentation(shift=0.1, rotation=10, zoom=0.1, brightness=0.1, contrast=0.2)


@dataclass(frozen=True, slots=True)
class Branch:
    """One model of the search: the dimensions that leave a choice, and what its own recipe has there.

    fixed: what every trial of it has beside that, in the words of `train`. epochs: of a trial at most, of all phases.
    """

    model: str
    dimensions: tuple[Dimension, ...]
    defaults: Mapping[str, Value]
    fixed: Mapping[str, Value]
    epochs: int

    def changes(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """What `train` is told beside the model: only what differs from its own recipe. Of the default: the fixed."""
        differing = {name: value for name, value in values.items() if value != self.defaults.get(name)}
        return {**self.fixed, **differing}


@dataclass(frozen=True, slots=True)
class Space:
    """The whole search: a branch a model. With several, a parameter's name begins with its model's."""

    branches: tuple[Branch, ...]

    def branch(self, model: str) -> Branch:
        """The branch of a model."""
        return next(each for each in self.branches if each.model == model)

    def parameter(self, model: str, name: str) -> str:
        """The name of a model's dimension in the study."""
        return name if len(self.branches) == 1 else f"{model}.{name}"

    def default(self) -> dict[str, Value]:
        """The parameters of the default trial: the first model's own recipe, as far as the space holds it."""
        first = self.branches[0]
        found: dict[str, Value] = {} if len(self.branches) == 1 else {MODEL: first.model}
        for dimension in first.dimensions:
            value = first.defaults.get(dimension.name)
            if value is not None and dimension.holds(value):
                found[self.parameter(first.model, dimension.name)] = value
        return found

    def described(self) -> dict[str, Any]:
        """Plain JSON, by which two searches are compared."""
        return {
            each.model: {
                "search": [str(dimension) for dimension in each.dimensions],
                "fixed": {name: each.fixed[name] for name in sorted(each.fixed)},
            }
            for each in self.branches
        }


def space_for(
    models: Sequence[str], asked: Sequence[Dimension], options: Mapping[str, Value], images: LabelledImages
) -> Space:
    """The space of these models: `asked` and `options` hold for each of them, the rest is laid around its recipe.

    Raises:
        UsageError: a model, a name or a value that is not possible.
    """
    if not models or len(set(models)) < len(models):
        raise UsageError("Each model is named once.", "Give --model NAME for each of the models to compare.")
    given = [*asked, *(Choice(name, (value,)) for name, value in options.items())]
    names = [each.name for each in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{twice[0]} is given twice.", "Give it once.")
    sample = look_at(images)
    native = sample.short_side if sample else None
    return Space(tuple(_branch(entry_of(name), given, native) for name in models))


def _branch(entry: ModelEntry, asked: Sequence[Dimension], native: int | None) -> Branch:
    recipe = entry.recipe_from(str(single(asked).get("weights", "")))
    given = tuple(_checked(each, entry, recipe) for each in asked)
    fixed, size = single(given), _own_size(entry, native)
    taken = {each.name for each in given}
    free = [each for each in _around(entry, recipe, size, native) if each.name not in taken]
    dimensions = (*searched(given), *searched(free))
    if not dimensions:
        raise UsageError("Nothing is left to search.", "Give --search NAME=LOW..HIGH, or leave something open.")
    own: dict[str, Value] = {IMAGE_SIZE: size, "fit": entry.fit}
    for name in FIELDS:
        value = getattr(recipe, name)
        own[name] = str(value) if isinstance(value, Augmentation) else value
    defaults = {each.name: own[each.name] for each in dimensions if each.name in own}
    epochs = int(fixed.get("epochs", recipe.epochs)) + (recipe.head_epochs if entry.transfer else 0)
    return Branch(entry.name, dimensions, defaults, fixed, epochs)


def _own_size(entry: ModelEntry, native: int | None) -> int:
    """The side that `train` takes unasked: from scratch, small pictures keep theirs."""
    if entry.transfer or native is None:
        return entry.image_size
    return min(max(native, entry.smallest), entry.image_size)


def _around(entry: ModelEntry, recipe: TrainingRecipe, size: int, native: int | None) -> list[Dimension]:
    """The space that is searched unasked: wide around what the model's recipe says."""
    own = str(recipe.augmentation)
    strong = str(replace(_STRONG, flip=recipe.augmentation.flip))
    found: list[Dimension] = [
        _rates("learning_rate", recipe.learning_rate),
        Choice("batch_size", tuple(dict.fromkeys(max(4, round(recipe.batch_size * k)) for k in (0.5, 1, 2, 4)))),
        Choice("augmentation", tuple(dict.fromkeys(("none", own, strong)))),
        Range("dropout", 0.0, 0.5),
        Range("label_smoothing", 0.0, 0.2),
    ]
    if entry.transfer:
        found.insert(1, _rates("head_learning_rate", recipe.head_learning_rate))
    sizes = [side for side in _sizes(size, native) if entry.smallest <= side <= entry.largest]
    return [*found, Choice(IMAGE_SIZE, tuple(dict.fromkeys(sizes)))]


def _rates(name: str, own: float) -> Range:
    """A tenth to ten times of a rate, without the digits that arithmetic leaves."""
    return Range(name, float(f"{own / 10:.4g}"), float(f"{min(own * 10, 1.0):.4g}"), log=True)


def _sizes(size: int, native: int | None) -> tuple[int, ...]:
    """The model's own side, a smaller one, and a larger one where the pictures have so many pixels."""
    smaller, larger = _even(size * 0.7), _even(size * 1.4)
    return (smaller, size, larger) if native and native >= larger else (smaller, size)


def _even(side: float) -> int:
    """A multiple of 4: the nets halve their maps."""
    return max(4, 4 * round(side / 4))


def _checked(dimension: Dimension, entry: ModelEntry, recipe: TrainingRecipe) -> Dimension:
    """The dimension in the type of its field, all of whose values the model takes.

    Raises:
        UsageError: otherwise.
    """
    name = dimension.name
    if name == IMAGE_SIZE:
        dimension = with_type(dimension, int)
        for value in _ends(dimension):
            if not entry.smallest <= int(value) <= entry.largest:
                raise UsageError(
                    f"{dimension}: {entry.name} takes no pictures of {value} pixels.",
                    f"Take {entry.smallest} to {entry.largest}.",
                )
        return dimension
    if name in _WORDS:
        return with_type(dimension, str)
    if name not in FIELDS:
        raise UsageError(f"{name} cannot be searched.", f"Take some of {', '.join((*FIELDS, IMAGE_SIZE, *_WORDS))}.")
    dimension = with_type(dimension, type(getattr(recipe, name)))
    for value in _ends(dimension):
        if name != "weight_decay":  # It is checked against the optimizer, which may be searched too.
            change: dict[str, Any] = {name: Augmentation.parse(str(value)) if name == "augmentation" else value}
            replace(recipe, **change)
    return dimension


def _ends(dimension: Dimension) -> tuple[Value, ...]:
    return (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.options
