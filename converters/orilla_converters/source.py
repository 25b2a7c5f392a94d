"""Opens a model and finds its parts: the input, the normalization in front, the core and the softmax behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.compat import is_graph, nodes_in_order
from orilla_converters.flat_graph import augments, inlined
from orilla_converters.frozen_source import FrozenParts, parts_of_saved_model, parts_of_subclassed
from orilla_converters.keras_files import load_keras
from orilla_converters.normalization import IDENTITY, Normalization
from orilla_converters.ports import IMAGE, PROBABILITIES, InputPort, NoClassifierError, OutputPort, Ports, single
from orilla_runtime.errors import ConversionError, UsageError

_NO_LOGITS = frozenset({"Sigmoid", "Tanh", "Relu", "Relu6", "Elu", "Softplus", "Softsign"})
"""Operators at the end of a frozen graph behind which no softmax belongs."""
MIXED_TOLERANCE = 0.02
"""How far a mixed-precision model's output may move, relative to its range, when it is rebuilt in float32."""


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

    @property
    def ports(self) -> Ports:
        """One picture, and the probabilities that a softmax makes of the core's logits."""
        image = InputPort(IMAGE, self.shape, self.normalization)
        return Ports((image,), (OutputPort(PROBABILITIES, (self.classes,), softmax=True),), labelled=True)


@dataclass(frozen=True, slots=True)
class Description:
    """What the parent process needs to know of the model; plain JSON."""

    shape: tuple[int, int, int]
    classes: int
    head: str
    scale: float
    offset: float


def open_source(parameters: Mapping[str, Any]) -> KerasSource:
    """Load `parameters["model"]` and take it apart.

    `normalization`: [scale, offset] that the user gave, or None. `raw`: True where the model is known to take raw
    pixels. `trusted`: code in the file may run.

    Raises:
        NoClassifierError: it does not give scores of classes for one picture.
        ConversionError: the file cannot be opened safely, or Orilla does not convert this kind of model.
        UsageError: nothing says what the model expects of its pixels.
    """
    path = Path(parameters["model"])
    if path.is_dir():
        return _of_frozen(parts_of_saved_model(path), parameters, path)
    model = load_keras(path, trusted=bool(parameters.get("trusted")))
    if not getattr(model, "inputs", None):
        return _of_frozen(parts_of_subclassed(model, path), parameters, path)
    return _of_layers(in_float32(model, path), parameters, path)


def _ending_in_layers(model: Any) -> Any:
    """The model itself or, where a model inside it gives its output, its copy without nested models.

    What ends it, a softmax mostly, is then a layer that can be found.
    """
    return inlined(model) if any(is_graph(one._keras_history.operation) for one in model.outputs) else model


def _of_layers(model: Any, parameters: Mapping[str, Any], path: Path) -> KerasSource:
    import keras

    shape = _image_shape(model, path)
    plain = _ending_in_layers(model)
    head = _find_head(plain, path)
    front = _rescaling_in_front(plain)
    outside = _said(parameters, path, front is not None)
    raw = model if outside == IDENTITY else _behind_rescaling(keras, model, outside, shape)
    core, normalization = _core(keras, plain, front, outside, head)
    return KerasSource(raw, core, normalization, head.kind, shape, int(model.outputs[0].shape[-1]))


def _of_frozen(parts: FrozenParts, parameters: Mapping[str, Any], path: Path) -> KerasSource:
    import keras

    shape = _image_shape(parts.model, path)
    if parts.ends_in in _NO_LOGITS:
        raise NoClassifierError(
            f"{path} ends in {parts.ends_in}, which is no distribution over classes.",
            "End the model in softmax, or in logits without an activation.",
        )
    if not parts.ends_in_softmax and _sums_to_one(parts.model):
        raise ConversionError(
            f"{path} gives probabilities, but its softmax is not its last operator.",
            "End the model in softmax, or in logits.",
        )
    outside = _said(parameters, path, False)
    raw = parts.model if outside == IDENTITY else _behind_rescaling(keras, parts.model, outside, shape)
    head = "probabilities" if parts.ends_in_softmax else "logits"
    classes = int(parts.model.outputs[0].shape[-1])
    inside = Normalization(*parts.front)
    if parts.behind is not None and outside == IDENTITY and inside.folds:
        return KerasSource(raw, parts.behind, inside, head, shape, classes)
    folded = outside.folds
    core = parts.core if folded else _behind_rescaling(keras, parts.core, outside, shape)
    return KerasSource(raw, core, outside if folded else IDENTITY, head, shape, classes)


def _said(parameters: Mapping[str, Any], path: Path, rescales: bool) -> Normalization:
    """What is to be done to a pixel before the model takes it, as the user or the model says."""
    given = parameters.get("normalization")
    if given is not None and rescales and Normalization(*given) != IDENTITY:
        raise UsageError(f"{path} rescales its pixels itself.", "Leave out --scale and --offset.")
    if given is not None:
        return Normalization(*given)
    if rescales or parameters.get("raw"):
        return IDENTITY
    raise UsageError(
        f"{path}: nothing in this model says how it wants its pixels.",
        "Give --scale and --offset (the model takes pixel * scale + offset; raw 0..255 is --scale 1 --offset 0).",
    )


def _image_shape(model: Any, path: Path) -> tuple[int, int, int]:
    inputs: list[Any] = list(model.inputs or ())
    outputs: list[Any] = list(model.outputs or ())
    if len(inputs) != 1 or len(outputs) != 1:
        raise NoClassifierError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs.", "Convert a model with one of each."
        )
    shape: tuple[Any, ...] = tuple(inputs[0].shape)
    scores: tuple[Any, ...] = tuple(outputs[0].shape)
    if len(shape) != 4 or shape[3] not in {1, 3}:
        raise NoClassifierError(
            f"{path} takes {list(shape)}, which is no picture.",
            "Orilla converts models of [batch, height, width, channels] with 1 or 3 channels.",
        )
    if shape[1] is None or shape[2] is None:
        raise ConversionError(
            f"{path} leaves its height or width open: {list(shape)}.",
            "Build it with a fixed size, for example keras.Input((224, 224, 3)).",
        )
    if not shape[1] or not shape[2]:
        raise ConversionError(f"{path} takes pictures without pixels: {list(shape)}.", "Build it with another size.")
    if len(scores) != 2 or scores[1] is None or scores[1] < 2:
        raise NoClassifierError(
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
        raise NoClassifierError(
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
    """The scalar Rescaling that takes the model's input, with nothing before it but augmentation; or None."""
    import keras

    here = model.inputs[0]
    for node in nodes_in_order(model):
        layer = node.operation
        if len(node.input_tensors) != 1 or node.input_tensors[0] is not here:
            return None
        if isinstance(layer, keras.layers.Rescaling):
            return layer if np.ndim(layer.scale) == np.ndim(layer.offset) == 0 else None
        if not augments(layer):
            return None
        here = node.outputs[0]
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


def in_float32(model: Any, path: Path) -> Any:
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
    shapes = [tuple(one.shape[1:]) for one in model.inputs]
    if not any(None in shape for shape in shapes) and not _give_the_same(model, rebuilt, shapes):
        raise ConversionError(
            f"{path} computes in 16 bits and gives something else in float32.",
            "Build it with the dtype policy float32.",
        )
    return rebuilt


def _give_the_same(model: Any, rebuilt: Any, shapes: list[tuple[int, ...]]) -> bool:
    import keras

    random = np.random.default_rng(0)
    sample = [random.uniform(0, 255, (4, *shape)).astype("float32") for shape in shapes]
    given = single(sample) if isinstance(model, keras.Sequential) else keras.tree.pack_sequence_as(model.input, sample)
    pairs = zip(*(keras.tree.flatten(net(given, training=False)) for net in (model, rebuilt)), strict=True)
    for mixed, exact in pairs:
        error = np.abs(np.asarray(mixed, "float32") - np.asarray(exact, "float32")).max()
        if not error <= MIXED_TOLERANCE * max(1.0, float(np.abs(np.asarray(exact, "float32")).max())):
            return False
    return True
