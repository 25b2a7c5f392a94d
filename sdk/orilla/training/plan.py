"""The configuration of a training, complete and checked before the first step."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from orilla.data.sample import look_at
from orilla.data.split import TEST, VALIDATION
from orilla.models.entry import IMAGENET, RANDOM
from orilla.models.recipe import FIELDS, Augmentation, TrainingRecipe
from orilla.models.weights_file import check_weights_file
from orilla.models.zoo import ModelEntry, entry_of
from orilla_runtime.errors import SinkError, UsageError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.preprocess import Channels, Fit, Preprocess

SUFFIX, FOLDER_SUFFIX = ".keras", ".training"
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the weights besides the pictures; it is written into the model's card.

    validation, test: shares of each class. weights: what training starts from: `imagenet`, `random`, or a file. split:
    the file that says the parts, in place of the shares, or empty. group: what keeps pictures of one thing in one
    part, or empty. start: the model that training goes on from, or empty.
    """

    model: str
    preprocess: Preprocess
    recipe: TrainingRecipe
    seed: int
    validation: float
    test: float
    weights: str = RANDOM
    split: str = ""
    group: str = ""
    start: str = ""

    @property
    def transfer(self) -> bool:
        """True where training starts from pretrained weights: a new head first, then the last layers."""
        return self.weights != RANDOM

    @property
    def image_size(self) -> int:
        return self.preprocess.size[0]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asks for; None takes the model's default, which may depend on the pictures.

    changes: fields of the model's recipe that are to differ. weights: for a model of transfer: `imagenet` (the
    default), `random`, which trains all of it from scratch, or a file. split: a file that says the parts. group: a
    column, or a pattern on the path, that says which pictures belong together. start: a model of the same net, trained
    before, whose weights training goes on from.
    """

    model: str = "small"
    image_size: int | None = None
    channels: Channels | None = None
    fit: Fit | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    validation: float = VALIDATION
    test: float = TEST
    weights: str | Path | None = None
    split: str | Path | None = None
    group: str | None = None
    start: str | Path | None = None

    def check(self) -> ModelEntry:
        """The entry of the model; everything that needs no picture is checked.

        Raises:
            UsageError: a value that is not possible.
        """
        entry = entry_of(self.model)
        start = self.origin(entry)
        if self.recipe(entry).epochs == 0 and start == RANDOM:
            raise UsageError("epochs=0 is not possible.", f"{self.model} is trained from scratch: take 1 or more.")
        _between("image_size", self.image_size, entry.smallest, entry.largest)
        _between("seed", self.seed, 0, MAX_SEED)
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            raise UsageError(
                f"validation={self.validation} and test={self.test} are not possible.",
                "Both are needed to choose and to judge the model; give shares that leave something for training.",
            )
        if self.split is not None and self.group is not None:
            raise UsageError("split names every picture's part, and group does nothing then.", "Leave one of them out.")
        if self.fit not in {None, *get_args(Fit)}:
            raise UsageError(f"fit={self.fit!r} is not possible.", f"Take one of {', '.join(get_args(Fit))}.")
        if self.channels not in {None, *entry.channels}:
            raise UsageError(f"{self.model} does not take {self.channels} pictures.", f"Take {entry.channels[0]}.")
        return entry

    def origin(self, entry: ModelEntry) -> str:
        """What training starts from: `imagenet`, `random`, or a file that is there.

        Raises:
            UsageError: weights for a model that takes none, or no such file.
        """
        if not entry.transfer:
            if self.weights not in {None, RANDOM}:
                raise UsageError(f"{self.model} takes no pretrained weights.", "Leave --weights out.")
            return RANDOM
        if self.weights in {None, IMAGENET, RANDOM}:
            return str(self.weights or IMAGENET)
        return str(check_weights_file(str(self.weights)))

    def recipe(self, entry: ModelEntry) -> TrainingRecipe:
        """The model's recipe with the changes; `augmentation` may be its text.

        Raises:
            UsageError: a field that a recipe does not have, a value that is not possible, or values that do not go
                together.
        """
        unknown = sorted(set(self.changes) - set(FIELDS))
        if unknown:
            raise UsageError(f"A training has no option {unknown[0]!r}.", f"Take some of {', '.join(FIELDS)}.")
        changes = dict(self.changes)
        if isinstance(changes.get("augmentation"), str):
            changes["augmentation"] = Augmentation.parse(changes["augmentation"])
        recipe = replace(entry.recipe_from(self.origin(entry)), **changes)
        if recipe.schedule == "plateau" and recipe.patience < 2:
            raise UsageError(
                "With patience=1 training ends before schedule=plateau can cut the rate.", "Take --patience 2 or more."
            )
        return recipe

    def plan(self, *, image_size: int, channels: Channels) -> Plan:
        """The complete plan, for pictures of which `image_size` and `channels` were chosen."""
        entry = self.check()
        return Plan(
            model=self.model,
            preprocess=Preprocess((image_size, image_size), fit=self.fit or entry.fit, channels=channels),
            recipe=self.recipe(entry),
            seed=self.seed,
            validation=self.validation,
            test=self.test,
            weights=self.origin(entry),
            split=str(self.split or ""),
            group=self.group or "",
            start=str(self.start or ""),
        )


def plan_for(wishes: Wishes, images: LabelledImages) -> Plan:
    """The plan for these pictures of training; a model from scratch takes its size and colours from some of them.

    Raises:
        UsageError: a wish that is not possible.
    """
    entry = wishes.check()
    image_size, channels = wishes.image_size, wishes.channels
    if not entry.transfer and (image_size is None or channels is None):
        sample = look_at(images)
        if sample is not None:
            side = min(max(sample.short_side, entry.smallest), entry.image_size)
            image_size = image_size or side
            channels = channels or ("grey" if sample.grey else "rgb")
    return wishes.plan(image_size=image_size or entry.image_size, channels=channels or entry.channels[0])


def _between(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and (type(value) is not int or not low <= value <= high):
        raise UsageError(f"{name}={value!r} is not possible.", f"Take {low} to {high}.")


def check_output(output: str | Path, needed_bytes: int = 0) -> Path:
    """The path of the model to write; a folder that cannot take it is found before the work, not after.

    Raises:
        UsageError: another suffix than `.keras`.
        SinkError: the folder is missing, cannot be written to, or has no room.
    """
    path = Path(output)
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: a Keras model is a {SUFFIX} file.", f"Name it {path.stem or 'model'}{SUFFIX}.")
    if path.is_dir():
        raise SinkError(f"{path} is a folder.", "Give the name of a file.")
    if not path.parent.is_dir():
        raise SinkError(f"{path}: there is no folder {path.parent}.", "Make the folder first.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise SinkError(f"{path}: {error.strerror or error}.", "Write to another place, or free space.") from error
    if free < needed_bytes:
        raise SinkError(
            f"{path}: the model needs {needed_bytes >> 10} KiB, and {free >> 10} KiB are free.",
            "Write to another place, or free space.",
        )
    return path
