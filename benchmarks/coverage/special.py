"""Models that are special in how they are put together, and three that are to be refused."""

from __future__ import annotations

from typing import Any

from benchmarks.coverage.networks import classifier
from benchmarks.coverage.registry import CLASSES

SIDE = 32


def _stack() -> list[Any]:
    """A few layers that every special model shares, from normalized pixels to features."""
    import keras

    layers = keras.layers
    return [
        layers.Conv2D(16, 3, 2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.Conv2D(24, 1),
        layers.GlobalAveragePooling2D(),
    ]


def _head(activation: str | None = None) -> Any:
    import keras

    return keras.layers.Dense(CLASSES, activation=activation, name="logits")


def _image(*shape: int | None) -> Any:
    import keras

    return keras.Input(shape or (SIDE, SIDE, 3), name="image")


def _through(layers: list[Any], x: Any) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def _rescaling() -> Any:
    import keras

    return keras.layers.Rescaling(1 / 128, -127 / 128)


def normalized() -> Any:
    """Mean and variance a channel, in a Normalization layer."""
    import keras

    front = keras.layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3409.0, 3260.0, 3294.0])
    return keras.Sequential([_image(), front, *_stack(), _head(), keras.layers.Softmax(name="probabilities")])


def augmented() -> Any:
    """Random* layers behind the input, which do nothing but in training."""
    import keras

    layers = keras.layers
    image = _image()
    front = [
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.2),
        layers.RandomBrightness(0.2),
        _rescaling(),
    ]
    return classifier(image, _through([*front, *_stack()], image), CLASSES, "augmented")


def sequential() -> Any:
    """A Sequential that ends in Dense with a softmax of its own."""
    import keras

    return keras.Sequential([_image(), _rescaling(), *_stack(), _head("softmax")])


def nested() -> Any:
    """A model in a model, as transfer learning leaves it."""
    import keras

    inner = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *_stack()], name="backbone")
    image = _image()
    return classifier(image, inner(_rescaling()(image)), CLASSES, "nested")


def subclassed() -> Any:
    """A `keras.Model` with a call of its own."""
    import keras

    class Subclassed(keras.Model):  # type: ignore[misc]
        """Its layers in a plain loop."""

        def __init__(self) -> None:
            super().__init__()
            self.stack = [_rescaling(), *_stack()]
            self.head = _head()
            self.probabilities = keras.layers.Softmax(name="probabilities")

        def call(self, image: Any, training: bool = False) -> Any:
            for layer in self.stack:
                image = layer(image, training=training) if "BatchNorm" in type(layer).__name__ else layer(image)
            return self.probabilities(self.head(image))

    model = Subclassed()
    model(keras.ops.zeros((1, SIDE, SIDE, 3)))
    return model


def several_outputs() -> Any:
    """A class and a box from one picture, in a dict whose order is not that of its names."""
    import keras

    image = _image()
    features = _through([_rescaling(), *_stack()], image)
    scores = keras.layers.Softmax(name="probabilities")(_head()(features))
    box = keras.layers.Dense(4, name="box")(features)
    return keras.Model(image, {"probabilities": scores, "box": box}, name="several_outputs")


def several_inputs() -> Any:
    """Two pictures of the same part, one class."""
    import keras

    top, side = keras.Input((SIDE, SIDE, 3), name="top"), keras.Input((SIDE, SIDE, 3), name="side")
    features = [_through([_rescaling(), *_stack()], image) for image in (top, side)]
    return classifier([top, side], keras.layers.Concatenate()(features), CLASSES, "several_inputs")


def half_precision(policy: str) -> Any:
    """Trained in 16 bits with the policy that Keras recommends for it: the softmax in float32."""
    import keras

    keras.mixed_precision.set_global_policy(policy)
    try:
        image = _image()
        logits = _head()(_through([_rescaling(), *_stack()], image))
        scores = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
        return keras.Model(image, scores, name="half")
    finally:
        keras.mixed_precision.set_global_policy("float32")


def open_size() -> Any:
    """Height and width are None."""
    image = _image(None, None, 3)
    return classifier(image, _through([_rescaling(), *_stack()], image), CLASSES, "open")


def with_lambda() -> Any:
    """Code in the model file."""
    import keras

    image = _image()
    layers = [keras.layers.Lambda(lambda x: x / 255), *_stack()]
    return classifier(image, _through(layers, image), CLASSES, "lambda")


def with_fourier() -> Any:
    """An operator that neither TFLite nor ONNX' common subset has."""
    import keras

    image = _image()
    x = _rescaling()(image)
    x = keras.ops.transpose(x, (0, 3, 1, 2))
    real, imaginary = keras.ops.fft2((x, keras.ops.zeros_like(x)))
    x = keras.ops.transpose(keras.ops.abs(real) + keras.ops.abs(imaginary), (0, 2, 3, 1))
    return classifier(image, _through(_stack(), x), CLASSES, "fourier")
