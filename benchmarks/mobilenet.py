"""MobileNetV1 0.25 at 224 pixels with trained ImageNet weights, as a Keras model with a card of Orilla.

The weights come from a float `.tflite` file among the test data: its convolutions, batch normalization folded in, go
in the file's order into `keras.applications.MobileNet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import test_data
from orilla.models.zoo import pretrained_card
from orilla_converters.keras_card import KerasCard, write_card
from orilla_runtime.preprocess import Preprocess

TFLITE = "models/mobilenet_v1_0.25_224_1_metadata_1.tflite"
SIDE = 224
SCALE, OFFSET = 1 / 127.5, -1.0
"""What it expects of a pixel."""
PREPROCESS = Preprocess((SIDE, SIDE), fit="crop", crop_fraction=0.875)


def mobilenet_job(parameters: Mapping[str, Any], _folder: Path) -> None:
    """Job: write the model to `parameters["path"]`."""
    import keras

    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    pixels = layers.Rescaling(SCALE, OFFSET)(image)
    model = keras.applications.MobileNet(input_tensor=pixels, alpha=0.25, weights=None, classes=1000)
    weights = list(tflite_weights(test_data() / TFLITE))
    convolutions = [layer for layer in model.layers if type(layer) in {layers.Conv2D, layers.DepthwiseConv2D}]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer, norm, (kernel, bias) in zip(convolutions[:-1], norms, weights[:-1], strict=True):
        layer.set_weights([kernel])
        norm.set_weights([np.full_like(bias, np.sqrt(1 + norm.epsilon)), bias, 0 * bias, 0 * bias + 1])
    kernel, bias = weights[-1]
    convolutions[-1].set_weights([kernel[..., 1:], bias[1:]])  # the first class is "background"
    path = Path(parameters["path"])
    model.save(path)
    write_card(path, KerasCard(pretrained_card("efficientnet_lite0").labels, PREPROCESS))


def tflite_weights(path: Path) -> Any:
    """Kernel as Keras has it, and bias, of each convolution in the order of the operators."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    for operator in interpreter._get_ops_details():
        if operator["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
            kernel, bias = (np.array(interpreter.get_tensor(index)) for index in operator["inputs"][1:3])
            yield kernel.transpose(1, 2, 3, 0), bias
