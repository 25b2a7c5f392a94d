"""The temperature of a trained net, folded into its last layer: every file made of it gives calibrated scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.pictures import Pictures
from orilla.evaluation.temperature import Temperature, fit_temperature
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs


def calibrate(net: Any, pictures: Pictures, places: NDArray[np.int64], batch_size: int) -> Temperature:
    """Fit the temperature on the pictures at `places` (validation) and divide the layer `logits` by it."""
    keras, _ = keras_and_tensorflow()
    logits = keras.Model(net.input, net.get_layer("logits").output)
    values = np.concatenate(list(outputs(logits, pictures.batches(places, batch_size))))
    assert pictures.images.class_ids is not None
    temperature = fit_temperature(values, pictures.images.class_ids[places])
    if temperature.value != 1.0:
        fold(net, temperature.value)
    return temperature


def fold(net: Any, temperature: float) -> None:
    """Divide the layer `logits` of `net`: the best class of a picture stays, the scores of all come closer or part."""
    layer = net.get_layer("logits")
    layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
