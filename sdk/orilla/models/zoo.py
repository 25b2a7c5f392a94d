"""The models of Orilla, by name. A new one is a file with its builder and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from orilla.models.efficientnet_lite import build_efficientnet_lite0, load_imagenet
from orilla.models.recipe import Augmentation, TrainingRecipe
from orilla.models.small import build_small
from orilla_converters.keras_card import KerasCard
from orilla_runtime.errors import UsageError
from orilla_runtime.preprocess import Channels, Fit, Preprocess


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


_ENTRIES = (
    ModelEntry(
        name="small",
        description="depthwise-separable residual net, from scratch, for pictures of 8 to 96 pixels",
        build=build_small,
        image_size=64,
        smallest=8,
        largest=512,
        channels=("rgb", "grey"),
        fit="stretch",
        recipe=TrainingRecipe(epochs=24, learning_rate=4e-3, patience=10, augmentation=Augmentation(shift=0.1)),
    ),
    ModelEntry(
        name="efficientnet_lite0",
        description="EfficientNet-Lite0 with ImageNet weights, by transfer, for photos",
        build=build_efficientnet_lite0,
        image_size=224,
        smallest=64,
        largest=512,
        channels=("rgb",),
        fit="crop",
        recipe=TrainingRecipe(epochs=3, learning_rate=3e-5, patience=3),
        load_weights=load_imagenet,
        frozen_before="block12_expand_conv",
    ),
)

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
    entry.load_weights(model)
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
