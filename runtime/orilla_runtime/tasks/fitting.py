"""Which task fits a bare model, and how a picture becomes its input: said by the file or the caller, never guessed.

Pixels fed in the wrong range or order give confident nonsense without an error, so a file that does not say what it
takes is refused until the caller does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from orilla_runtime.errors import ModelError, UsageError
from orilla_runtime.formats.model_file import ModelFile, Normalization
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import dataclass
from orilla_runtime.tasks.classification import ClassificationTask
from orilla_runtime.tasks.fitting_input import ImageInput, image_input, no_task_fits, scaling
from orilla_runtime.tasks.labels import given_labels, labels_inside
from orilla_runtime.tensors import TensorSpec

_PROBABILITIES = frozenset({"SOFTMAX", "LOGISTIC", "STABLEHLO_LOGISTIC", "Softmax", "Sigmoid"})
_OUTPUTS = ("probabilities", "logits")


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What a caller says of a bare model.

    labels: a text file (one name a line) or the names. mean, std: `(pixel - mean) / std` on pixels of 0..255, one
    value or one a channel in the order of `channels`. label_offset: leading outputs without a label. output:
    `probabilities` or `logits`. fit, crop_fraction: as in `Preprocess`.
    """

    labels: str | Path | Sequence[str] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    channels: str | None = None
    label_offset: int | None = None
    output: str | None = None
    fit: str | None = None
    crop_fraction: float | None = None

    def given(self) -> tuple[str, ...]:
        """The names of the options that were given, as the command spells them."""
        return tuple(f"--{name.replace('_', '-')}" for name in self.__slots__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A task for a model, and the way from a picture to its input."""

    task: ClassificationTask
    preprocess: Preprocess


def fit_classification(file: ModelFile, options: FitOptions, name: str, top: int = 5) -> Fitted:
    """Classification for a bare model.

    Args:
        file: what the model says of itself.
        options: what the caller says of it; it wins.
        name: the file's name, for messages.
        top: how many classes a result holds.

    Raises:
        ModelError: the model is no image classifier, or neither it nor the caller says what it needs.
        UsageError: an option with an impossible value.
    """
    image = image_input(file, name)
    classes = score_count(file, name)
    offset = _offset(options.label_offset, classes)
    labels = given_labels(options.labels) if options.labels is not None else labels_inside(file, classes, name)
    normalization = given_normalization(options, image)
    if normalization is None and image.is_float:
        normalization = file.normalization
    scale, offsets = scaling(image, normalization, name)
    labels = _require_known(labels, normalization, image, name)
    _require_as_many(labels, classes, offset, name)
    preprocess = Preprocess(
        size=image.size,
        fit=options.fit or "stretch",  # type: ignore[arg-type]  # Preprocess refuses what it does not know
        crop_fraction=1.0 if options.crop_fraction is None else options.crop_fraction,
        channels=_channels(options.channels, image),  # type: ignore[arg-type]
        dtype=image.spec.dtype,  # type: ignore[arg-type]
        layout=image.layout,
        scale=scale,
        offset=offsets,
    )
    task = ClassificationTask(labels, output=_output(options.output, file), label_offset=offset, top=top)
    return Fitted(task, preprocess)


def score_count(file: ModelFile, name: str) -> int:
    """Length of the only output, one score a class. Raises ModelError where it is no such output."""
    if len(file.outputs) != 1:
        raise no_task_fits(name, f"it has {len(file.outputs)} outputs, a classifier has one")
    spec = file.outputs[0]
    if spec.dtype not in {"float32", "float16", "uint8", "int8"}:
        raise no_task_fits(name, f"its output {spec} holds no scores")
    if spec.dtype in {"uint8", "int8"} and spec.quantization is None:
        raise no_task_fits(name, f"its output {spec} does not say what real numbers it stands for")
    classes = _length(spec)
    if classes is None:
        raise no_task_fits(name, f"its output {spec} is not one score a class")
    return classes


def _length(spec: TensorSpec) -> int | None:
    """N of [1, N], [1, N, 1, 1] or [1, 1, 1, N]."""
    if len(spec.shape) < 2 or spec.shape[0] not in {1, None}:
        return None
    sides = [side for side in spec.shape[1:] if side != 1]
    return sides[0] if len(sides) == 1 and sides[0] is not None and sides[0] > 1 else None


def _offset(offset: int | None, classes: int) -> int:
    if offset is None:
        return 0
    if not 0 <= offset < classes:
        raise UsageError(f"--label-offset {offset} is not possible for {classes} outputs.", "Give 0 or more.")
    return offset


def given_normalization(options: FitOptions, image: ImageInput) -> Normalization | None:
    """What the caller says that the input takes; None for nothing. Raises UsageError for impossible values."""
    if options.mean is None and options.std is None:
        return None
    if options.mean is None or options.std is None:
        raise UsageError(
            "--mean and --std belong together.", "(pixel - mean) / std: give --mean 0 or --std 1 for none."
        )
    for option, values in (("mean", options.mean), ("std", options.std)):
        fits = len(values) in {1, image.depth} and all(math.isfinite(value) for value in values)
        if not fits or (option == "std" and not all(values)):
            raise UsageError(
                f"--{option} {','.join(map(str, values))} is not possible.",
                f"Give one number or {image.depth}, in the order of --channels; std is not 0.",
            )
    return Normalization(tuple(options.mean), tuple(options.std))


def _require_known(
    labels: tuple[str, ...] | None, normalization: Normalization | None, image: ImageInput, name: str
) -> tuple[str, ...]:
    """The labels; refuses where these or the range of the pixels are unknown."""
    unknown, options = [], []
    if labels is None:
        unknown.append("its class names")
        options.append("--labels FILE")
    if normalization is None and image.is_float:
        unknown.append("the range of its pixels")
        options.append("--mean 0 --std 1 (0..255), --mean 127.5 --std 127.5 (-1..1) or --mean 0 --std 255 (0..1)")
    if labels is None or unknown:
        raise ModelError(
            f"{name} does not say {' and '.join(unknown)}.",
            f"If it classifies pictures, give {' and '.join(options)} (see also --label-offset, --channels, --output); "
            "else task='raw' gives its outputs.",
        )
    return labels


def _require_as_many(labels: tuple[str, ...], classes: int, offset: int, name: str) -> None:
    missing = classes - offset - len(labels)
    if missing == 0:
        return
    without = f" ({offset} of them without a label)" if offset else ""
    if missing == 1:
        remedy = f"If output 0 is a background without a label, add --label-offset {offset + 1}."
    elif offset and missing == -offset:
        remedy = "The labels name every output: leave --label-offset out."
    else:
        remedy = "Give the labels that the model was trained with (--labels), one a class."
    raise ModelError(f"{name} has {classes} outputs{without} and there are {len(labels)} labels.", remedy)


def _channels(channels: str | None, image: ImageInput) -> str:
    if channels is not None and (channels == "grey") != (image.depth == 1):
        raise UsageError(
            f"--channels {channels} does not fit an input of {image.depth} channel(s).",
            "Use grey for one channel, rgb or bgr for three.",
        )
    return channels or ("grey" if image.depth == 1 else "rgb")


def _output(output: str | None, file: ModelFile) -> str:
    """What the scores are: as said, else by the operator that makes them."""
    if output is not None and output not in _OUTPUTS:
        raise UsageError(f"--output {output} is not known.", f"Use {' or '.join(_OUTPUTS)}.")
    return output or file.output or ("probabilities" if file.makers[0] in _PROBABILITIES else "logits")
