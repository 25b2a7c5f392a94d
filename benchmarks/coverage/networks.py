"""The networks that are written out here: grouped convolutions, a transformer, a U-Net."""

from __future__ import annotations

from typing import Any

from benchmarks.coverage.registry import CLASSES


def classifier(inputs: Any, features: Any, classes: int, name: str) -> Any:
    """The model that ends as Orilla's own do: `logits`, then `probabilities`."""
    import keras

    logits = keras.layers.Dense(classes, name="logits")(features)
    return keras.Model(inputs, keras.layers.Softmax(name="probabilities")(logits), name=name)


def orilla(name: str, side: int, depth: int = 3) -> Any:
    """A model of our own zoo."""
    from orilla.models import zoo

    return zoo.build(name, image_size=side, depth=depth, classes=CLASSES)


def grouped() -> Any:
    """Residual blocks with grouped 3x3 convolutions and squeeze-and-excitation, as in RegNetY."""
    import keras

    layers = keras.layers
    image = keras.Input((64, 64, 3), name="image")
    x = layers.Rescaling(1 / 128, -127 / 128)(image)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(24, 3, 2, padding="same", use_bias=False)(x)))
    for width, stride in ((24, 2), (48, 2), (48, 1)):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 1, use_bias=False)(x)))
        y = layers.Conv2D(width, 3, stride, padding="same", groups=width // 8, use_bias=False)(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = layers.Conv2D(width // 4, 1, activation="relu")(gate)
        y = layers.Multiply()([y, layers.Conv2D(width, 1, activation="sigmoid")(gate)])
        y = layers.BatchNormalization()(layers.Conv2D(width, 1, use_bias=False)(y))
        if stride == 2 or x.shape[-1] != width:
            x = layers.BatchNormalization()(layers.Conv2D(width, 1, stride, use_bias=False)(x))
        x = layers.ReLU()(layers.Add()([x, y]))
    return classifier(image, layers.GlobalAveragePooling2D()(x), CLASSES, "grouped")


def transformer() -> Any:
    """A small vision transformer: patches, two blocks of attention and GELU, mean over the patches."""
    import keras

    layers = keras.layers
    width = 64
    image = keras.Input((48, 48, 3), name="image")
    x = layers.Rescaling(1 / 128, -127 / 128)(image)
    x = layers.Reshape((36, width))(layers.Conv2D(width, 8, 8)(x))
    # The bias of each patch and channel is what tells the patches' places.
    x = layers.EinsumDense("btd,de->bte", (36, width), bias_axes="te")(x)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, width // 4)(y, y)])
        y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return classifier(image, x, CLASSES, "transformer")


def u_net() -> Any:
    """Segmentation of one class: every pixel's probability, by transposed convolution and by enlarging."""
    import keras

    layers = keras.layers

    def twice(x: Any, width: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((64, 64, 3), name="image")
    first = twice(layers.Rescaling(1 / 255)(image), 16)
    second = twice(layers.MaxPooling2D()(first), 32)
    x = twice(layers.MaxPooling2D()(second), 48)
    x = layers.Conv2DTranspose(32, 2, 2)(x)
    x = twice(layers.Concatenate()([x, second]), 32)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = twice(layers.Concatenate()([x, first]), 16)
    logits = layers.Conv2D(1, 1, name="logits")(x)
    return keras.Model(image, layers.Activation("sigmoid", name="mask")(logits), name="u_net")
