"""A flattened Keras core with fake quantization in it, for fine-tuning, and the `.tflite` file made of it.

Weights are rounded to 255 symmetric steps, a scale for each output channel (one for all of a Dense layer: TensorFlow's
converter takes no other there); what layers give to 256 steps of a range that follows training. The gradient goes
through the rounding as if it were not there (Jacob et al., 2018). The converter takes the ranges from the graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from orilla_converters.compat import nodes_in_order
from orilla_converters.flat_graph import readers
from orilla_converters.metadata import port_metadata
from orilla_converters.recipe import Recipe
from orilla_converters.source import KerasSource
from orilla_converters.tflite_check import require_kind
from orilla_converters.tflite_file import finish
from orilla_converters.tflite_head import with_float_logits

FORGET = 0.99
"""What a range keeps of itself from one batch to the next, unless the batch is wider."""
_INT8 = Recipe("tflite", "int8")


class Range(keras.layers.Layer):  # type: ignore[misc]
    """Rounds what it is given to 256 steps. `ends`: of a range that does not move, such as that of pixels."""

    def __init__(self, ends: tuple[float, float] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._ends = ends

    def build(self, _shape: Any) -> None:
        low, high = self._ends or (0.0, 0.0)
        start = keras.initializers.Constant
        self._low = self.add_weight(name="low", shape=(), initializer=start(low), trainable=False)
        self._high = self.add_weight(name="high", shape=(), initializer=start(high), trainable=False)

    def call(self, given: Any, training: bool = False) -> Any:
        if training and self._ends is None:
            self._low.assign(tf.minimum(self._low * FORGET, tf.reduce_min(given)))
            self._high.assign(tf.maximum(self._high * FORGET, tf.reduce_max(given)))
        return tf.quantization.fake_quant_with_min_max_vars(given, self._low.value, self._high.value)


class QuantizedConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution with rounded weights."""

    def call(self, given: Any) -> Any:
        kernel = _rounded(self.kernel.value, self.kernel.shape)
        return tf.nn.conv2d(given, kernel, self.strides, self.padding.upper()) + self.bias


class QuantizedDepthwise(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """A depthwise convolution with rounded weights."""

    def call(self, given: Any) -> Any:
        kernel = _rounded(self.kernel.value, [*self.kernel.shape[:2], -1])
        return tf.nn.depthwise_conv2d(given, kernel, (1, *self.strides, 1), self.padding.upper()) + self.bias


class QuantizedDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense layer with rounded weights."""

    def call(self, given: Any) -> Any:
        most = tf.reduce_max(tf.abs(self.kernel.value))
        kernel = tf.quantization.fake_quant_with_min_max_vars(self.kernel.value, -most, most, narrow_range=True)
        return given @ kernel + self.bias


_QUANTIZED: dict[Any, Any] = {
    keras.layers.Conv2D: QuantizedConv2D,
    keras.layers.DepthwiseConv2D: QuantizedDepthwise,
    keras.layers.Dense: QuantizedDense,
}
_SAME_VALUES = (keras.layers.Dropout, keras.layers.Reshape, keras.layers.Flatten, keras.layers.ZeroPadding2D)


def _rounded(kernel: Any, shape: Iterable[int]) -> Any:
    """The last axis of `shape` is the output channel."""
    rows = tf.reshape(kernel, shape)
    most = tf.maximum(tf.reduce_max(tf.abs(rows), list(range(len(rows.shape) - 1))), 1e-8)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(rows, -most, most, narrow_range=True)
    return tf.reshape(rounded, kernel.shape)


def fake_quantized(flat: Any, pixels: tuple[float, float]) -> Any:
    """A copy of a flattened core with the same layer names; `pixels`: what 0 and 255 are to it."""
    reading = readers(flat)
    image = keras.Input(flat.inputs[0].shape[1:], name="image")
    tensors = {id(flat.inputs[0]): Range(pixels, name="image_range")(image)}
    for node in nodes_in_order(flat):
        layer = node.operation
        assert getattr(layer, "groups", 1) == 1
        assert getattr(layer, "dilation_rate", (1, 1)) == (1, 1)
        kind: Any = _QUANTIZED.get(type(layer), type(layer))
        copy = kind.from_config(layer.get_config())
        args, kwargs = node.arguments.fill_in(tensors)
        given = copy(*args, **kwargs)
        if layer.weights:
            copy.set_weights(layer.get_weights())
        if not isinstance(layer, _SAME_VALUES) and not _fuses(reading[id(node.outputs[0])]):
            given = Range(name=f"{layer.name}_range")(given)
        tensors[id(node.outputs[0])] = given
    return keras.Model(image, tensors[id(flat.outputs[0])])


def _fuses(found: list[Any]) -> bool:
    """Whether nothing but a ReLU reads it: it becomes a part of the operator before, and only its result is rounded."""
    if len(found) != 1 or found[0] is None:
        return False
    layer = found[0].operation
    relus = {keras.activations.relu, keras.activations.relu6}
    return isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) in relus


def give_weights(trained: Any, flat: Any) -> None:
    """Put the weights of a fine-tuned copy into the core that it was made of."""
    for layer in flat.layers:
        if layer.weights:
            layer.set_weights(trained.get_layer(layer.name).get_weights())


def write_tflite(trained: Any, source: KerasSource) -> bytes:
    """The int8 file with the ranges of training, in all else as Orilla writes one."""
    image = keras.Input(source.shape, batch_size=1, name="image")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, trained(image)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    ports = source.ports
    metadata = port_metadata(ports, "rgb", _INT8.io)
    data = finish(converter.convert(), ports, softmax=True, metadata=metadata, bytes_as={})
    require_kind(data, _INT8)
    return with_float_logits(data)
