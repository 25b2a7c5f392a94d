"""Where a model comes from and what is known of it: from its card, or from what the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from orilla_converters.keras_card import read_card
from orilla_converters.keras_files import SUFFIXES
from orilla_converters.ports import Ports
from orilla_converters.raw.description import RawDescription
from orilla_converters.source import Description
from orilla_converters.worker import Workshop
from orilla_runtime.errors import DataError, ModelError, UsageError
from orilla_runtime.preprocess import Channels, Fit, Preprocess
from orilla_runtime.tasks.labels import given_labels


@dataclass(frozen=True, slots=True)
class Origin:
    """A model file with what is known of it before it is opened.

    labels, preprocess: None where only the model itself can say them (the class numbers; its size). normalization:
    scale and offset that the user gave. raw: True where the model is known to take raw pixels. trusted: code in the
    file may run. task: as what it is to be opened; None where it decides itself.
    """

    path: Path
    raw: bool
    labels: tuple[str, ...] | None
    preprocess: Preprocess | None
    normalization: tuple[float, float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    trusted: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None

    @property
    def job_parameters(self) -> dict[str, Any]:
        """What a job needs to open the model."""
        given = None if self.normalization is None else list(self.normalization)
        return {
            "model": str(self.path.absolute()),
            "raw": self.raw,
            "normalization": given,
            "trusted": self.trusted,
            "task": self.task,
        }

    @property
    def split(self) -> Mapping[str, Any] | None:
        """The training's split, relative paths under `train`, `validation` and `test`; None where it is not known."""
        split = self.training.get("split")
        fits = isinstance(split, dict) and all(
            isinstance(paths, list) and all(isinstance(path, str) for path in paths) for paths in split.values()
        )
        return split if fits else None

    def described_by(self, workshop: Workshop) -> Description | RawDescription:
        """Open the model, in a process of its own, and check that it is what its card or the user says."""
        value = workshop.run("describe", self.path.name, self.job_parameters)
        if value["task"] == "raw":
            return self._raw(RawDescription(Ports.from_json(value["ports"])))
        height, width, depth = value["shape"]
        found = Description(
            (height, width, depth), value["classes"], value["head"], float(value["scale"]), float(value["offset"])
        )
        labels, preprocess = self.labels_for(found), self.preprocess_for(found)
        if len(labels) != found.classes:
            raise DataError(
                f"{self.path} has {found.classes} classes, and there are {len(labels)} labels.",
                "Give one label for each class, in the order of the outputs.",
            )
        if preprocess.shape[1:] != found.shape or not preprocess.is_raw:
            raise DataError(
                f"{self.path} takes {list(found.shape)}; its card speaks of {list(preprocess.shape[1:])}.",
                "The card belongs to another model: train again.",
            )
        return found

    def _raw(self, found: RawDescription) -> RawDescription:
        if self.preprocess is not None:
            raise DataError(f"{self.path} is no classifier, and its card is that of one.", "Train again.")
        if self.labels is not None:
            raise UsageError(f"{self.path} is no classifier of one picture.", "Leave out --labels.")
        return found

    def labels_for(self, description: Description) -> tuple[str, ...]:
        """The class names; the classes' numbers where nobody named them."""
        if self.labels is not None:
            return self.labels
        return tuple(str(number) for number in range(description.classes))

    def preprocess_for(self, description: Description) -> Preprocess:
        """How a picture becomes the model's input: uint8 NHWC, nothing scaled."""
        if self.preprocess is not None:
            return self.preprocess
        height, width, depth = description.shape
        options = dict(self.options)
        channels: Channels = "grey" if depth == 1 else options.pop("channels", "rgb")
        if depth == 1 and options.pop("channels", "grey") != "grey":
            raise UsageError(f"{self.path} takes grey pictures.", "Leave out --channels, or give --channels grey.")
        if depth == 3 and channels == "grey":
            raise UsageError(f"{self.path} takes pictures in colour.", "Leave out --channels, or give rgb or bgr.")
        return Preprocess(size=(height, width), channels=channels, **options)


def read_origin(
    model: str | Path,
    *,
    labels: Sequence[str] | str | Path | None,
    scale: float | None,
    offset: float | None,
    channels: Channels | None,
    fit: Fit | None,
    crop_fraction: float | None,
    trusted: bool = False,
    task: str | None = None,
) -> Origin:
    """What is known of a `.keras` or `.h5` file or a SavedModel folder.

    Raises:
        DataError: no such file, or a damaged `.keras` file or card.
        ModelError: another kind of file.
        UsageError: options for a model that carries its own card, half a normalization, or labels that cannot be read.
    """
    path = Path(model)
    saved_model = (path / "saved_model.pb").is_file()
    if not saved_model and path.exists() and (path.is_dir() or path.suffix not in SUFFIXES):
        raise ModelError(
            f"{path} is not a .keras file, an .h5 file or the folder of a SavedModel.",
            "Save the model with model.save('NAME.keras').",
        )
    card = read_card(path) if path.suffix not in SUFFIXES[1:] and not saved_model else None
    options = {"channels": channels, "fit": fit, "crop_fraction": crop_fraction}
    given = {name: value for name, value in options.items() if value is not None}
    if card is not None:
        own = {"labels": labels, "scale": scale, "offset": offset}
        said = [*given, *(name for name, value in own.items() if value is not None)]
        if said:
            raise UsageError(
                f"{path} carries its own labels and preprocessing.",
                f"Leave out {', '.join('--' + name.replace('_', '-') for name in said)}.",
            )
        return Origin(path, True, card.labels, card.preprocess, trusted=trusted, training=card.training, task=task)
    if (scale is None) != (offset is None):
        raise UsageError("--scale and --offset belong together.", "The model takes pixel * scale + offset: give both.")
    normalization = None if scale is None or offset is None else (float(scale), float(offset))
    if normalization is not None and not (all(map(isfinite, normalization)) and normalization[0]):
        raise UsageError(
            f"--scale {normalization[0]:g} and --offset {normalization[1]:g} make no value of a pixel.",
            "The model takes pixel * scale + offset: give finite numbers, and no scale of 0.",
        )
    names = None if labels is None else given_labels(labels)
    return Origin(path, False, names, None, normalization, given, trusted, task=task)
