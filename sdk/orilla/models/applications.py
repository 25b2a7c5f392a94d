"""Nets of `keras.applications`, for transfer: raw RGB pixels in, their own preprocessing inside the graph.

`preprocess_input` of each family, as one layer: MobileNet and Inception take -1..1, EfficientNetV2 subtracts ImageNet's
mean and divides by its deviation. ResNet50 and VGG16 were trained on blue, green, red less a mean: here the mean goes
off each channel, and the first kernel's channels are turned round when its weights are loaded.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.entry import IMAGENET, RANDOM, ModelEntry, WeightsOrigin
from orilla.models.recipe import Augmentation, TrainingRecipe
from orilla.models.weights_file import Layers, Stored, assign, check_weights_file, opened_layers
from orilla_runtime.errors import OrillaError

NORMALIZE = "normalize"
TIMEOUT_SECONDS = 60.0
"""So long a download may stand still."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (1 / 127.5, -1.0)
_LESS_MEAN = (1.0, (-123.68, -116.779, -103.939))
_STANDARD = (
    tuple(1 / (255 * deviation) for deviation in _DEVIATION),
    tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),
)


@dataclass(frozen=True, slots=True)
class Application:
    """One net of `keras.applications`.

    name: ours. builder: Keras' name. file: of its weights without the classifier, as Keras publishes them.
    normalization: scale and offset of an RGB pixel, for all channels or one each.
    blue_first: its published first kernel takes blue, green, red. preprocesses: it would bring a normalization.
    """

    name: str
    builder: str
    file: str
    normalization: tuple[float | tuple[float, ...], float | tuple[float, ...]] = _HALF
    blue_first: bool = False
    preprocesses: bool = False

    def body(self, image: Any, **options: Any) -> Any:
        """Keras' own model without a classifier, from the tensor `image` [n, size, size, 3] that it takes."""
        keras, _ = keras_and_tensorflow()
        if self.preprocesses:
            options["include_preprocessing"] = False
        build = getattr(keras.applications, self.builder)
        return build(include_top=False, input_tensor=image, input_shape=tuple(image.shape[1:]), **options)


def build_application(
    application: Application, *, image_size: int, depth: int, classes: int, dropout: float = 0.2
) -> Any:
    """A `keras.Model` with random weights.

    Input `image`: float32 [n, image_size, image_size, 3], RGB pixels of 0..255. Output `probabilities`: float32
    [n, classes]. Layers `features` (the mean of the last map) and `logits` as in every model of the zoo.

    Raises:
        OrillaError: `depth` is not 3.
    """
    if depth != 3:
        raise OrillaError(f"{application.name} takes colour pictures.", "Use --channels rgb, or the model small.")
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, 3), name="image")
    scale, offset = (list(part) if isinstance(part, tuple) else part for part in application.normalization)
    body = application.body(layers.Rescaling(scale, offset, name=NORMALIZE)(image), weights=None)
    x = layers.GlobalAveragePooling2D(name="features")(body.output)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    model = keras.Model(image, layers.Softmax(name="probabilities")(x), name=application.name)
    return _with_own_names(model)


def _with_own_names(model: Any) -> Any:
    """Keras counts unnamed layers through the whole process; here each model counts its own: files are alike."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = re.sub(r"_\d+$", "", layer.name)
        if layer.name != "dropout" and kind.replace("_", "") == type(layer).__name__.lower():
            counts[kind] = counts.get(kind, 0) + 1
            names[layer.name] = f"{kind}_{counts[kind]}"
    if not names:
        return model
    keras, _ = keras_and_tensorflow()

    def renamed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": names.get(layer.name, layer.name)})

    return keras.models.clone_model(model, clone_function=renamed)


def load_application_weights(application: Application, model: Any, source: str = IMAGENET) -> None:
    """Give `model` the weights of `source`: `imagenet` (fetched by Keras once), `random` (it keeps its own), or a file.

    A file may be what Keras publishes, with or without the classifier, or a model of this net that Keras or Orilla
    saved. The `logits` are loaded where their classes are as many.

    Raises:
        OrillaError: the weights cannot be fetched. UsageError: no such file.
        DataError: the file is damaged, or of another net.
    """
    if source == RANDOM:
        return
    if source == IMAGENET:
        fetched = tuple(Stored("", tuple(layer.get_weights())) for layer in _fetched(application, model).layers)
        _take(application, model, Layers(tuple(one for one in fetched if one.tensors), frozenset()), Path(IMAGENET))
        return
    path = check_weights_file(source)
    with opened_layers(path) as layers:
        _take(application, model, layers, path)


def _take(application: Application, model: Any, layers: Layers, path: Path) -> None:
    assign(model.layers, layers, path)
    # A file of Orilla's has the layer of the normalization, and its first kernel is turned round already.
    if application.blue_first and NORMALIZE not in layers.names:
        first = next(layer for layer in model.layers if layer.weights)
        kernel, *others = first.get_weights()
        first.set_weights([np.ascontiguousarray(kernel[:, :, ::-1]), *others])


def _fetched(application: Application, model: Any) -> Any:
    keras, _ = keras_and_tensorflow()
    try:
        with _download():
            return application.body(keras.Input(model.input.shape[1:]), weights="imagenet")
    except Exception as error:
        # Keras raises a plain Exception where the network fails.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OrillaError(
            f"The ImageNet weights of {application.name} cannot be fetched: {reason}.",
            f"Fetch {application.file}, which keras.applications publishes, where there is a network "
            "(it stays there in ~/.keras/models), and give it: --weights FILE.",
        ) from error


@contextlib.contextmanager
def _download() -> Iterator[None]:
    """A download that stands still ends, and its progress stays off the standard output, where results go."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        shown = contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO())
        with shown, warnings.catch_warnings():
            # Keras warns that the weights, of one size, are taken for another; they serve all.
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(before)


_SCRATCH = TrainingRecipe(
    epochs=60, learning_rate=1e-3, patience=15, augmentation=Augmentation(flip=True, shift=0.1, zoom=0.1)
)


def _entry(
    application: Application,
    description: str,
    *,
    frozen_before: str,
    licence: str = "Apache-2.0",
    image_size: int = 224,
    smallest: int = 32,
    learning_rate: float = 3e-5,
) -> ModelEntry:
    return ModelEntry(
        name=application.name,
        description=description,
        build=partial(build_application, application),
        image_size=image_size,
        smallest=smallest,
        largest=640,
        channels=("rgb",),
        fit="crop",
        recipe=TrainingRecipe(epochs=5, learning_rate=learning_rate, patience=3),
        scratch=_SCRATCH,
        load_weights=partial(load_application_weights, application),
        frozen_before=frozen_before,
        weights=WeightsOrigin("keras.applications, fetched once", licence),
    )


MOBILENET_V2 = Application(
    "mobilenet_v2", "MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
)
MOBILENET_V3_SMALL = Application(
    "mobilenet_v3_small",
    "MobileNetV3Small",
    "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
    preprocesses=True,
)
MOBILENET_V3_LARGE = Application(
    "mobilenet_v3_large",
    "MobileNetV3Large",
    "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
    preprocesses=True,
)
EFFICIENTNET_V2_B0 = Application(
    "efficientnet_v2_b0", "EfficientNetV2B0", "efficientnetv2-b0_notop.h5", _STANDARD, preprocesses=True
)
INCEPTION_V3 = Application("inception_v3", "InceptionV3", "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5")
RESNET50 = Application(
    "resnet50", "ResNet50", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", _LESS_MEAN, blue_first=True
)
VGG16 = Application("vgg16", "VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", _LESS_MEAN, blue_first=True)

ENTRIES = (
    _entry(MOBILENET_V2, "MobileNetV2, by transfer, for phones", frozen_before="block_13_expand"),
    _entry(MOBILENET_V3_SMALL, "MobileNetV3 small, by transfer", frozen_before="expanded_conv_8_expand"),
    _entry(MOBILENET_V3_LARGE, "MobileNetV3 large, by transfer", frozen_before="expanded_conv_12_expand"),
    _entry(EFFICIENTNET_V2_B0, "EfficientNetV2-B0, by transfer", frozen_before="block6e_expand_conv"),
    _entry(
        INCEPTION_V3,
        "InceptionV3, by transfer, from 75 pixels",
        frozen_before="mixed8",
        image_size=299,
        smallest=75,
        learning_rate=1e-5,
    ),
    _entry(
        RESNET50,
        "ResNet50, by transfer",
        frozen_before="conv5_block1_1_conv",
        licence="MIT",
        learning_rate=1e-5,
    ),
    _entry(
        VGG16,
        "VGG16, by transfer",
        frozen_before="block5_conv1",
        licence="CC BY 4.0",
        learning_rate=1e-5,
    ),
)
