"""Reads a `.keras` file and finds its parts: the input, the normalization in front, the core and the softmax behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.errors import ConversionError, DataError, UsageError

MIXED_TOLERANCE = 0.02
"""How far a mixed-precision model's output may move, relative to its range, when it is rebuilt in float32."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """`pixel * scale + offset` is what the core takes; pixels are 0..255."""

    scale: float
    offset: float

    @property
    def zero_point(self) -> int:
        """The pixel value that stands for 0, to half a level."""
        return round(-self.offset / self.scale) if self.scale > 0 else -1

    @property
    def folds(self) -> bool:
        """True where a quantized input's scale and zero point can say it."""
        return self.scale > 0 and 0 <= self.zero_point <= 255


IDENTITY = Normalization(1.0, 0.0)


@dataclass(frozen=True, slots=True)
class KerasSource:
    """A loaded model in its parts.

    `model` takes raw pixels as float32 [n, height, width, depth] and gives its own output (`head`: `probabilities` or
    `logits`). `core` takes normalized pixels and gives logits; `normalization` always fits a quantized input.
    """

    model: Any
    core: Any
    normalization: Normalization
    head: str
    shape: tuple[int, int, int]
    classes: int


@dataclass(frozen=True, slots=True)
class Description:
    """What the parent process needs to know of the model; plain JSON."""

    shape: tuple[int, int, int]
    classes: int
    head: str
    scale: float
    offset: float


def describe_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Job: open the model and say what it takes and gives."""
    source = open_source(parameters)
    return {
        "shape": list(source.shape),
        "classes": source.classes,
        "head": source.head,
        "scale": source.normalization.scale,
        "offset": source.normalization.offset,
    }


def open_source(parameters: Mapping[str, Any]) -> KerasSource:
    """Load `parameters["model"]` and take it apart.

    `normalization`: [scale, offset] that the user gave, or None. `raw`: True where the model is known to take raw
    pixels.

    Raises:
        ConversionError: the file cannot be opened safely, or Orilla does not convert this kind of model.
        UsageError: nothing says what the model expects of its pixels.
    """
    import keras

    path = Path(parameters["model"])
    model = _in_float32(_load(path), path)
    shape = _image_shape(model, path)
    head = _find_head(model, path)
    front = _rescaling_in_front(model)
    given = parameters.get("normalization")
    if given is not None:
        outside = Normalization(*given)
    elif front is not None or parameters.get("raw"):
        outside = IDENTITY
    else:
        raise UsageError(
            f"{path}: nothing in this model says how it wants its pixels.",
            "Give --scale and --offset (the model takes pixel * scale + offset; raw 0..255 is --scale 1 --offset 0).",
        )
    raw = model if outside == IDENTITY else _behind_rescaling(keras, model, outside, shape)
    core, normalization = _core(keras, model, front, outside, head)
    return KerasSource(raw, core, normalization, head.kind, shape, int(model.outputs[0].shape[-1]))


def _load(path: Path) -> Any:
    import keras

    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", "Give the path of a .keras file.")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if "lambda" in text.lower() or "safe_mode" in text:
            what = "it holds a Lambda layer, which is code"
            remedy = "Replace it by Keras layers: Orilla does not run code out of a model file."
        elif "Could not locate" in text or "register_keras_serializable" in text:
            what = f"it needs a class of its author's ({text[:120]})"
            remedy = "Build the model from Keras' own layers: Orilla does not run code out of a model file."
        else:
            what = f"{type(error).__name__}: {text[:160]}"
            remedy = "Save it again with model.save('NAME.keras') in Keras 3."
        raise ConversionError(f"{path} cannot be opened: {what}.", remedy) from error


def _image_shape(model: Any, path: Path) -> tuple[int, int, int]:
    inputs: list[Any] = list(model.inputs or ())
    outputs: list[Any] = list(model.outputs or ())
    if len(inputs) != 1 or len(outputs) != 1:
        raise ConversionError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs.", "Convert a model with one of each."
        )
    shape: tuple[Any, ...] = tuple(inputs[0].shape)
    scores: tuple[Any, ...] = tuple(outputs[0].shape)
    if len(shape) != 4 or shape[3] not in {1, 3}:
        raise ConversionError(
            f"{path} takes {list(shape)}, which is no picture.",
            "Orilla converts models of [batch, height, width, channels] with 1 or 3 channels.",
        )
    if shape[1] is None or shape[2] is None:
        raise ConversionError(
            f"{path} leaves its height or width open: {list(shape)}.",
            "Build it with a fixed size, for example keras.Input((224, 224, 3)).",
        )
    if len(scores) != 2 or scores[1] is None or scores[1] < 2:
        raise ConversionError(
            f"{path} gives {list(scores)}, which are not the scores of at least two classes.",
            "Orilla converts classifiers with one score a class.",
        )
    return int(shape[1]), int(shape[2]), int(shape[3])


@dataclass(frozen=True, slots=True)
class _Head:
    """`kind`: `probabilities` or `logits`; `layer`: the last one; `whole` where it is nothing but softmax."""

    kind: str
    layer: Any
    whole: bool


def _find_head(model: Any, path: Path) -> _Head:
    import keras

    layer = model.outputs[0]._keras_history.operation
    if isinstance(layer, keras.layers.Softmax):
        return _Head("probabilities", layer, True)
    activation = getattr(layer, "activation", None)
    if activation is keras.activations.softmax:
        return _Head("probabilities", layer, isinstance(layer, keras.layers.Activation))
    if activation not in {None, keras.activations.linear}:
        name = getattr(activation, "__name__", activation)
        raise ConversionError(
            f"{path} ends in {name}, which is no distribution over classes.",
            "End the model in softmax, or in logits without an activation.",
        )
    if _sums_to_one(model):
        raise ConversionError(
            f"{path} gives probabilities, but its softmax is not its last layer ({layer.name} is).",
            "End the model in a Softmax layer, or in logits.",
        )
    return _Head("logits", layer, False)


def _sums_to_one(model: Any) -> bool:
    shape = (4, *model.inputs[0].shape[1:])
    scores = np.asarray(model(np.random.default_rng(0).uniform(0, 1, shape).astype("float32"), training=False))
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() < 1e-3)


def _rescaling_in_front(model: Any) -> Any:
    """The scalar Rescaling that takes the model's input, or None."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        scalar = isinstance(layer, keras.layers.Rescaling) and np.ndim(layer.scale) == np.ndim(layer.offset) == 0
        return layer if scalar and layer.input is model.inputs[0] else None
    return None


def _behind_rescaling(keras: Any, model: Any, outside: Normalization, shape: tuple[int, int, int]) -> Any:
    pixels = keras.Input(shape)
    return keras.Model(pixels, model(keras.layers.Rescaling(outside.scale, outside.offset)(pixels)))


def _core(keras: Any, model: Any, front: Any, outside: Normalization, head: _Head) -> tuple[Any, Normalization]:
    """The model between normalization and softmax. It shares its layers with a second copy, never with `model`."""
    copy = _copy(keras, model)
    tail = copy.get_layer(head.layer.name)
    if head.kind == "probabilities" and not head.whole:
        tail.activation = keras.activations.linear
    logits = tail.input if head.kind == "probabilities" and head.whole else copy.outputs[0]
    inside = None if front is None else Normalization(float(front.scale), float(front.offset))
    if inside is not None and outside == IDENTITY and inside.folds:
        try:
            return keras.Model(copy.get_layer(front.name).output, logits), inside
        except ValueError:
            pass  # something else in the model reads the raw input too
    whole = keras.Model(copy.inputs, logits)
    if outside.folds:
        return whole, outside
    shape = tuple(model.inputs[0].shape[1:])
    return _behind_rescaling(keras, whole, outside, (shape[0], shape[1], shape[2])), IDENTITY


def _copy(keras: Any, model: Any) -> Any:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _in_float32(model: Any, path: Path) -> Any:
    """The model itself, or, where its layers compute in 16 bits, the same model rebuilt in float32."""
    import keras

    if all(layer.compute_dtype == "float32" for layer in model._flatten_layers()):
        return model

    def plain(layer: Any) -> Any:
        config = layer.get_config()
        config["dtype"] = "float32"
        return layer.__class__.from_config(config)

    rebuilt = keras.models.clone_model(model, clone_function=plain, recursive=True)
    rebuilt.set_weights(model.get_weights())
    shape = tuple(model.inputs[0].shape[1:])
    if None not in shape:
        sample = np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype("float32")
        mixed, exact = (np.asarray(net(sample, training=False), "float32") for net in (model, rebuilt))
        if not np.abs(mixed - exact).max() <= MIXED_TOLERANCE * max(1.0, float(np.abs(exact).max())):
            raise ConversionError(
                f"{path} computes in 16 bits and gives something else in float32.",
                "Build it with the dtype policy float32.",
            )
    return rebuilt
