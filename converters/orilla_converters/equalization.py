"""Cross-layer equalization (Nagel et al., 2019): channels of very different size are made equal, the function is kept.

Int8 gives a whole tensor one scale. Where one channel is a thousand times another, the small one is lost. Between two
kernels with nothing but ReLU and the like between them, a channel may be scaled freely: the first kernel takes `s`,
the second `1 / s`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.flat_graph import flattened, kernels, readers
from orilla_converters.source import KerasSource, open_source
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.errors import ConversionError

SWEEPS = 3
PICTURES = 64
"""Of the calibration sample: enough for the largest and the mean value of a channel."""
TOLERANCE = 1e-4
"""How far the logits may move, relative to their range: float32 rounds the scaled weights otherwise."""
CLIP_MARGIN = 0.5
"""A channel before ReLU6 is scaled only while, on the calibration pictures, it stays below this share of 6."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two kernels whose channels between them may be scaled. `most`: for each channel the largest value before a ReLU6
    between them, infinity where nothing clips."""

    first: Any
    second: Any
    most: NDArray[np.float64] | None


def equalize_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the model with equalized channels.

    The value: `path` of a `.keras` file that takes raw pixels and gives probabilities; `pairs`, the names of the layers
    that were equalized; `change`, by how much the logits moved, relative to their range.
    `why` stands in place of `path` where there is nothing to equalize.
    """
    import keras

    source = open_source(parameters)
    sample = TensorFile.from_json(parameters["calibration"]).open()
    taken = np.asarray(sample[:: max(1, len(sample) // PICTURES)][:PICTURES], np.float32)
    pixels = taken * np.float32(source.normalization.scale) + np.float32(source.normalization.offset)
    try:
        flat = flattened(source.core)
    except Exception as error:
        return {"pairs": [], "why": f"its layers cannot be taken apart ({type(error).__name__})"}
    pairs = pairs_of(keras, flat, pixels)
    before = np.asarray(source.core(pixels, training=False), np.float64)
    equalize(pairs)
    change = float(np.abs(before - np.asarray(flat(pixels, training=False))).max() / max(1e-9, np.ptp(before)))
    if not change <= TOLERANCE:
        raise ConversionError(f"{parameters['model']}: equalizing its layers changes what it computes ({change:.1e}).")
    names = [[pair.first.name, pair.second.name] for pair in pairs]
    if not pairs:
        return {"pairs": [], "why": "no two layers have nothing but ReLU between them"}
    path = folder / "equalized.keras"
    _whole(keras, source, flat).save(path)
    return {"path": str(path), "pairs": names, "change": change}


def equalize(pairs: Sequence[Pair]) -> None:
    """Scale the channels between each pair so that both kernels span the same range there; in place."""
    reached: list[NDArray[np.float64] | None] = [pair.most for pair in pairs]
    for _ in range(SWEEPS):
        for place, pair in enumerate(pairs):
            scale = _scale(_ranges(pair.first, given=True), _ranges(pair.second, given=False), reached[place])
            _scale_given(pair.first, scale)
            _scale_taken(pair.second, scale)
            most = reached[place]
            reached[place] = None if most is None else most * scale


def _scale(first: NDArray[Any], second: NDArray[Any], most: NDArray[Any] | None) -> NDArray[np.float64]:
    """sqrt(first * second) / first; 1 for a channel that is not used, and no more than a ReLU6 between bears."""
    used = (first > 1e-12) & (second > 1e-12)
    scale = np.where(used, np.sqrt(first * second) / np.where(used, first, 1.0), 1.0)
    if most is None:
        return scale
    limit = 6.0 * CLIP_MARGIN
    bears = np.minimum(scale, limit / np.maximum(most, 1e-12))
    return np.where(most <= limit, bears, 1.0)


def pairs_of(keras: Any, model: Any, pixels: NDArray[np.float32]) -> list[Pair]:
    """Pairs of kernels with one way between them, on which scaling a channel does no harm."""
    ways = list(_ways(keras, model))
    most = _most(keras, model, {id(clipped): clipped for *_, clipped in ways if clipped is not None}, pixels)
    return [Pair(first, second, most.get(id(clipped))) for first, second, clipped in ways]


def _ways(keras: Any, model: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Both kernels of each pair, and the tensor that a ReLU6 between them takes, or None."""
    reading, own = readers(model), {id(node) for node in kernels(model)}
    for node in kernels(model):
        if not _gives_channels(keras, node.operation):
            continue
        tensor = node.outputs[0]
        clipped = None
        while len(found := reading.get(id(tensor), [])) == 1 and found[0] is not None:
            step = found[0]
            if id(step) in own and _takes_channels(keras, step.operation):
                yield node.operation, step.operation, clipped
                break
            if _is_relu6(keras, step.operation) and clipped is None:
                clipped = tensor
            elif not _keeps_channels(keras, step.operation):
                break
            tensor = step.outputs[0]


def _most(
    keras: Any, model: Any, tensors: Mapping[int, Any], pixels: NDArray[np.float32]
) -> dict[int, NDArray[np.float64]]:
    """The largest value of each channel of each tensor on the calibration pictures, in one pass over them."""
    import tensorflow as tf

    if not tensors:
        return {}
    probe = keras.Model(model.inputs, list(tensors.values()))

    @tf.function  # type: ignore[untyped-decorator]
    def largest(picture: Any) -> list[Any]:
        values = keras.tree.flatten(probe(picture, training=False))
        return [tf.reduce_max(value, list(range(len(value.shape) - 1))) for value in values]

    rows = [[np.asarray(value, np.float64) for value in largest(picture[np.newaxis])] for picture in pixels]
    return {key: np.max(found, axis=0) for key, found in zip(tensors, zip(*rows, strict=True), strict=True)}


def _gives_channels(keras: Any, layer: Any) -> bool:
    """Whether each channel that the layer gives has its own part of the kernel."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return bool(layer.depth_multiplier == 1)
    return type(layer) in {keras.layers.Conv2D, keras.layers.Dense}


def _takes_channels(keras: Any, layer: Any) -> bool:
    """The same of the channels that it takes; a grouped convolution shares its kernel's rows among groups."""
    if not _gives_channels(keras, layer):
        return False
    return getattr(layer, "groups", 1) == 1 or isinstance(layer, keras.layers.DepthwiseConv2D)


def _keeps_channels(keras: Any, layer: Any) -> bool:
    """Whether scaling a channel before the layer by a positive number is the same as scaling it behind."""
    layers = keras.layers
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.threshold
    if isinstance(layer, layers.Activation):
        return layer.activation in {keras.activations.relu, keras.activations.linear}
    kept = (
        layers.LeakyReLU,
        layers.Dropout,
        layers.SpatialDropout2D,
        layers.Identity,
        layers.ZeroPadding2D,
        layers.MaxPooling2D,
        layers.AveragePooling2D,
        layers.GlobalAveragePooling2D,
        layers.GlobalMaxPooling2D,
    )
    return type(layer) in kept and getattr(layer, "data_format", "channels_last") == "channels_last"


def _is_relu6(keras: Any, layer: Any) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return layer.max_value == 6.0 and not layer.threshold and not layer.negative_slope
    return isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu6


def _ranges(layer: Any, *, given: bool) -> NDArray[np.float64]:
    """The largest absolute weight for each channel that the layer gives, or takes."""
    kernel = np.abs(np.asarray(layer.kernel, np.float64))
    axis = _channel_axis(layer, given=given)
    found: NDArray[np.float64] = kernel.max(axis=tuple(other for other in range(kernel.ndim) if other != axis))
    return found


def _channel_axis(layer: Any, *, given: bool) -> int:
    import keras

    ndim = len(layer.kernel.shape)
    return ndim - 1 if given and not isinstance(layer, keras.layers.DepthwiseConv2D) else ndim - 2


def _scale_given(layer: Any, scale: NDArray[np.float64]) -> None:
    _multiply_kernel(layer, scale, _channel_axis(layer, given=True))
    layer.bias.assign(np.asarray(layer.bias, np.float64) * scale)


def _scale_taken(layer: Any, scale: NDArray[np.float64]) -> None:
    _multiply_kernel(layer, 1 / scale, _channel_axis(layer, given=False))


def _multiply_kernel(layer: Any, scale: NDArray[np.float64], axis: int) -> None:
    kernel = np.asarray(layer.kernel, np.float64)
    shape = [1] * kernel.ndim
    shape[axis] = -1
    layer.kernel.assign(kernel * scale.reshape(shape))


def _whole(keras: Any, source: KerasSource, flat: Any) -> Any:
    """The model as Orilla's own look: raw pixels, Rescaling, the flat core, Softmax."""
    image = keras.Input(source.shape, name="image")
    front = source.normalization
    pixels = keras.layers.Rescaling(front.scale, front.offset, name="normalization")(image)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(flat(pixels)))
