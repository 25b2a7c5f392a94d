"""Gives random weights the properties of trained ones that a conversion can get wrong.

Fresh weights hide faults: a BatchNormalization that does nothing folds rightly by chance, a LayerScale of 1e-6 switches
its branch off, and a softmax of near-equal scores agrees with anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

SPREAD = 2.0
"""Standard deviation of each logit over the pictures."""


def make_sensible(model: Any, inputs: list[Any], seed: int = 0) -> None:
    """Change `model`'s weights in place; `inputs` are float32 tensors, one for each input, [n, …]."""
    rng = np.random.default_rng(seed)
    layers = list(_flat(model))
    for layer in layers:
        _randomize(layer, rng)
    _warm(model, layers, inputs)
    for layer in layers:
        if layer.name.startswith("logits"):
            _spread(model, layer, inputs, rng)


def _flat(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers(include_self=False):
        if not getattr(layer, "layers", None):
            yield layer


def _randomize(layer: Any, rng: np.random.Generator) -> None:
    kind = type(layer).__name__
    if kind in {"BatchNormalization", "LayerNormalization", "GroupNormalization"}:
        if layer.gamma is not None:  # InceptionV3 normalizes without a scale.
            _assign(layer.gamma, rng.uniform(0.5, 1.5, layer.gamma.shape))
        _assign(layer.beta, rng.normal(0, 0.2, layer.beta.shape))
    elif kind == "LayerScale":
        _assign(layer.gamma, rng.uniform(0.1, 0.5, layer.gamma.shape))
    elif getattr(layer, "bias", None) is not None and hasattr(layer.bias, "assign"):
        _assign(layer.bias, rng.normal(0, 0.05, layer.bias.shape))


def _assign(variable: Any, values: Any) -> None:
    if variable is not None:
        variable.assign(values.astype("float32"))


def _warm(model: Any, layers: list[Any], inputs: list[Any]) -> None:
    """One pass in training mode makes the moving statistics those of the pictures."""
    momenta = {layer: layer.momentum for layer in layers if hasattr(layer, "moving_mean")}
    rates = {layer: layer.rate for layer in layers if type(layer).__name__ in {"Dropout", "SpatialDropout2D"}}
    for layer in momenta:
        layer.momentum = 0.0
    for layer in rates:
        layer.rate = 0.0
    if momenta:
        _call(model, inputs, training=True)
    for layer, momentum in momenta.items():
        layer.momentum = momentum
    for layer, rate in rates.items():
        layer.rate = rate


def _call(model: Any, inputs: list[Any], *, training: bool) -> Any:
    return model(inputs if len(inputs) > 1 else inputs[0], training=training)


def _spread(model: Any, layer: Any, inputs: list[Any], rng: np.random.Generator) -> None:
    """Let the logits read what differs most between the pictures, as those of a trained classifier do.

    Random directions would read the features' noise as loudly as their signal.
    """
    found: list[Any] = []
    call = layer.call

    def listening(features: Any, *args: Any, **kwargs: Any) -> Any:
        found.append(np.asarray(features, np.float32))
        return call(features, *args, **kwargs)

    layer.call = listening
    _call(model, inputs, training=False)
    layer.call = call
    features = found[-1].reshape(-1, found[-1].shape[-1])
    mean = features.mean(axis=0)
    classes = layer.kernel.shape[-1]
    directions = np.linalg.svd(features - mean, full_matrices=False)[2][:classes]
    turned = np.linalg.qr(rng.normal(size=(classes, classes)))[0][:, : len(directions)] @ directions
    factor = SPREAD / np.maximum(((features - mean) @ turned.T).std(axis=0), 1e-12)
    kernel = turned.T * factor
    layer.kernel.assign(kernel.reshape(layer.kernel.shape))
    layer.bias.assign(-mean @ kernel)
