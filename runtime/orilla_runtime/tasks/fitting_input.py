"""Whether a model's input is a picture, and what its stored values are for a pixel."""

from __future__ import annotations

import math

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.model_file import ModelFile, Normalization
from orilla_runtime.preprocess import Layout
from orilla_runtime.records import dataclass
from orilla_runtime.tensors import TensorSpec

_FLOATS = frozenset({"float32", "float16"})
_INTEGERS = frozenset({"uint8", "int8"})
_LARGEST = 16384
# The pixel that stands for 0 is the mean that was subtracted: 0 to about 140 in every usual recipe.
_HIGHEST_ZERO = 170


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A model's input as a picture: `size` is height and width."""

    spec: TensorSpec
    layout: Layout
    size: tuple[int, int]
    depth: int

    @property
    def is_float(self) -> bool:
        """True where nothing but the file or the caller can know the range of the pixels."""
        return self.spec.dtype in _FLOATS


def image_input(file: ModelFile, name: str) -> ImageInput:
    """The model's only input as a picture.

    Raises:
        ModelError: several inputs, or one that is no picture of fixed size with 1 or 3 channels.
    """
    why = f"it has {len(file.inputs)} inputs, a picture is one"
    if len(file.inputs) == 1:
        spec = file.inputs[0]
        found = _layout(spec, file.format)
        if found is not None:
            layout, height, width, depth = found
            if height is None or width is None:
                raise no_task_fits(name, f"the size of its input {spec} is open, and Orilla needs a fixed one")
            return ImageInput(spec, layout, (height, width), depth)
        why = f"its input {spec} is no picture (1 x height x width x 1 or 3 channels, of uint8, int8 or float)"
    raise no_task_fits(name, why)


def scaling(
    image: ImageInput, normalization: Normalization | None, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of `stored = pixel * scale + offset`, one value each or one a channel.

    An integer input takes the pixels themselves (uint8) or less 128 (int8): its scale and zero point are the
    normalization. Only where the caller gives mean and std is the stored value computed from them.

    Raises:
        ModelError: the file's normalization is impossible, or its zero point fits no picture.
    """
    if normalization is None:
        _require_plausible(image, name)
        return (1.0,), (-128.0 if image.spec.dtype == "int8" else 0.0,)
    mean, std = normalization.mean, normalization.std
    lengths = {1, image.depth}
    finite = all(map(math.isfinite, (*mean, *std)))
    if len(mean) not in lengths or len(std) not in lengths or not finite or not all(std):
        raise ModelError(
            f"{name}: its metadata gives an impossible normalization (mean {mean}, std {std}).",
            "Give it yourself: --mean and --std.",
        )
    count = max(len(mean), len(std))
    pairs = [(mean[i % len(mean)], std[i % len(std)]) for i in range(count)]
    step, zero = 1.0, 0.0
    if image.spec.quantization is not None:
        step, zero = image.spec.quantization.scale, float(image.spec.quantization.zero_point)
    return tuple(1 / (s * step) for _, s in pairs), tuple(zero - m / (s * step) for m, s in pairs)


def _layout(spec: TensorSpec, format: str) -> tuple[Layout, int | None, int | None, int] | None:  # noqa: A002
    """Layout, height, width and depth; None where the input is no picture."""
    if len(spec.shape) != 4 or spec.shape[0] not in {1, None} or spec.dtype not in _FLOATS | _INTEGERS:
        return None
    _, first, middle, last = spec.shape
    # A picture three pixels wide would fit both; then the format's custom decides.
    fits_last, fits_first = last in {1, 3}, first in {1, 3}
    found: tuple[Layout, int | None, int | None, int] | None = None
    if fits_last and not (fits_first and format == "onnx"):
        assert last is not None
        found = "NHWC", first, middle, last
    elif fits_first:
        assert first is not None
        found = "NCHW", middle, last, first
    if found and not all(side is None or 1 <= side <= _LARGEST for side in found[1:3]):
        return None
    return found


def _require_plausible(image: ImageInput, name: str) -> None:
    """A quantized input whose real zero lies at a bright pixel was calibrated on something else than pictures."""
    quantization = image.spec.quantization
    if quantization is None:
        return
    level = quantization.zero_point + (128 if image.spec.dtype == "int8" else 0)
    if level > _HIGHEST_ZERO:
        raise ModelError(
            f"{name}: no task fits: by its scale and zero point {quantization.zero_point}, its input {image.spec} does "
            "not hold pixels.",
            f"If it does, give --mean and --std. orilla.load('{name}', task='raw') gives its outputs.",
        )


def no_task_fits(name: str, why: str) -> ModelError:
    """The refusal of a model that is no image classifier."""
    return ModelError(f"{name}: no task fits: {why}.", f"orilla.load('{name}', task='raw') gives its outputs.")
