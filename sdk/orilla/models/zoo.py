"""The models of Orilla, by name. A new one is a file with its builder and its `ENTRIES`, joined here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from orilla.models import applications, efficientnet_lite, small, tutorial
from orilla.models.entry import IMAGENET, ModelEntry
from orilla_converters.keras_card import KerasCard
from orilla_runtime.errors import UsageError
from orilla_runtime.preprocess import Preprocess

__all__ = [
    "MODELS",
    "PRETRAINED",
    "ModelEntry",
    "build",
    "entry_of",
    "pretrained",
    "pretrained_card",
    "write_pretrained",
]

_ENTRIES = (*small.ENTRIES, *tutorial.ENTRIES, *efficientnet_lite.ENTRIES, *applications.ENTRIES)

MODELS: Mapping[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}
PRETRAINED: Mapping[str, Preprocess] = {
    "efficientnet_lite0": Preprocess((224, 224), fit="crop", crop_fraction=0.875),
}
"""Models that classify without any training, and how they take a picture."""


def entry_of(name: str) -> ModelEntry:
    """The entry of a model.

    Raises:
        UsageError: no model of that name.
    """
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}.", f"Take one of {', '.join(MODELS)}.")
    return MODELS[name]


def build(name: str, *, image_size: int, depth: int, classes: int, **options: Any) -> Any:
    """A `keras.Model` with random weights; `options` as its builder takes them (`dropout`, …).

    Raises:
        UsageError: no model of that name, or a size or depth that it does not take.
    """
    entry = entry_of(name)
    depths = {1 if channels == "grey" else 3 for channels in entry.channels}
    if not entry.smallest <= image_size <= entry.largest or depth not in depths:
        raise UsageError(
            f"{name} takes no pictures of {image_size} pixels with {depth} channels.",
            f"Take {entry.smallest} to {entry.largest} pixels and {' or '.join(map(str, sorted(depths)))} channels.",
        )
    return entry.build(image_size=image_size, depth=depth, classes=classes, **options)


def pretrained(name: str) -> Any:
    """A `keras.Model` that classifies the 1,000 classes of ImageNet.

    Raises:
        UsageError: no pretrained model of that name.
        OrillaError: its weights are not installed.
    """
    card = pretrained_card(name)
    entry = entry_of(name)
    model = entry.build(image_size=card.preprocess.size[0], depth=card.preprocess.depth, classes=len(card.labels))
    assert entry.load_weights is not None
    entry.load_weights(model, IMAGENET)
    return model


def pretrained_card(name: str) -> KerasCard:
    """The labels and the preprocessing of a pretrained model.

    Raises:
        UsageError: no pretrained model of that name.
    """
    if name not in PRETRAINED:
        raise UsageError(f"There is no pretrained model {name!r}.", f"Take one of {', '.join(PRETRAINED)}.")
    text = resources.files("orilla.models").joinpath("imagenet_labels.txt").read_text(encoding="utf-8")
    return KerasCard(tuple(text.splitlines()), PRETRAINED[name])


def write_pretrained(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """A worker's job: write the pretrained model `name` with its card to `path`, a `.keras` file."""
    from orilla.models.saving import save_model

    name, path = str(parameters["name"]), Path(parameters["path"])
    save_model(pretrained(name), path, pretrained_card(name))
    return {"path": str(path)}
