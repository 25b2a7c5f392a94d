"""A Keras core in its plainest form: one flat graph, batch normalization folded, each ReLU a layer of its own.

The function stays the same; what equalization and bias correction read and change is then one kernel and one bias a
layer, and the way from one to the next can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.compat import is_graph, nodes_in_order


def flattened(core: Any) -> Any:
    """A copy of a functional Keras model without nested models and, behind kernels, without batch normalization."""
    return flattened_with_norms(core)[0]


def flattened_with_norms(core: Any) -> tuple[Any, dict[str, str]]:
    """The same copy, and for each kernel's layer the batch normalization that it took in, by name."""
    import keras

    folder = _Folder(keras, inlined(core))
    return folder.folded(), folder.norms


def inlined(model: Any) -> Any:
    """A copy of a functional model without nested models: their layers are its own."""
    import keras

    inputs = [keras.Input(batch_shape=port.shape, dtype=port.dtype, name=port.name) for port in model.inputs]
    return keras.Model(inputs, _inlined(keras, model, inputs, {}))


def _inlined(keras: Any, model: Any, inputs: list[Any], copies: dict[int, Any]) -> list[Any]:
    """The outputs of `model` on `inputs`, its layers copied and its nested models opened; a shared layer stays one."""
    tensors = {id(port): tensor for port, tensor in zip(model.inputs, inputs, strict=True)}
    for node in nodes_in_order(model):
        args, kwargs = node.arguments.fill_in(tensors)
        operation = node.operation
        if is_graph(operation):
            results = _inlined(keras, operation, keras.tree.flatten(args), copies)
        else:
            results = keras.tree.flatten(_copy(keras, operation, copies)(*args, **kwargs))
            _copy_weights(operation, copies.get(id(operation)))
        tensors |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
    return [tensors[id(port)] for port in model.outputs]


def _copy(keras: Any, operation: Any, copies: dict[int, Any]) -> Any:
    if not isinstance(operation, keras.layers.Layer):
        return operation
    if id(operation) not in copies:
        config = operation.get_config()
        taken = {layer.name for layer in copies.values()}
        while config["name"] in taken:
            config["name"] += "_again"
        copies[id(operation)] = operation.__class__.from_config(config)
    return copies[id(operation)]


def _copy_weights(layer: Any, copy: Any) -> None:
    if copy is not None and copy.weights:
        copy.set_weights(layer.get_weights())


class _Folder:
    """Builds the folded copy of a flat model, node by node."""

    def __init__(self, keras: Any, model: Any) -> None:
        self._keras, self._model = keras, model
        self._readers = readers(model)
        self._calls = calls(model)
        self._tensors: dict[int, Any] = {}
        self.norms: dict[str, str] = {}

    def folded(self) -> Any:
        """The copy."""
        inputs = [self._keras.Input(batch_shape=port.shape, name=port.name) for port in self._model.inputs]
        self._tensors = {id(old): new for old, new in zip(self._model.inputs, inputs, strict=True)}
        copies: dict[int, Any] = {}
        for node in nodes_in_order(self._model):
            if id(node.outputs[0]) in self._tensors:
                continue  # a normalization that its kernel took in
            args, kwargs = node.arguments.fill_in(self._tensors)
            if self._has_kernel(node.operation):
                self._put_kernel(node, args[0])
                continue
            results = self._keras.tree.flatten(_copy(self._keras, node.operation, copies)(*args, **kwargs))
            _copy_weights(node.operation, copies.get(id(node.operation)))
            self._tensors |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
        return self._keras.Model(inputs, [self._tensors[id(port)] for port in self._model.outputs])

    def _has_kernel(self, operation: Any) -> bool:
        """One of the layers that are rewritten, called once, with an activation that can stand alone."""
        known = (self._keras.layers.Conv2D, self._keras.layers.DepthwiseConv2D, self._keras.layers.Dense)
        return type(operation) in known and self._calls[id(operation)] == 1

    def _put_kernel(self, node: Any, tensor: Any) -> None:
        layer, given = node.operation, node.outputs[0]
        kernel, bias = kernel_and_bias(layer)
        norm = self._norm_behind(given) if _is_linear(self._keras, layer) else None
        if norm is not None:
            kernel, bias = _take_in(layer, kernel, bias, norm.operation)
            self.norms[layer.name] = norm.operation.name
        config = layer.get_config() | {"use_bias": True, "activation": None}
        copy = layer.__class__.from_config(config)
        result = copy(tensor)
        copy.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
        if not _is_linear(self._keras, layer):
            result = self._keras.layers.Activation(layer.activation, name=f"{layer.name}_activation")(result)
        self._tensors[id(given)] = result
        if norm is not None:
            self._tensors[id(norm.outputs[0])] = result

    def _norm_behind(self, tensor: Any) -> Any:
        """The batch normalization that alone reads `tensor`, over its channels; else None."""
        found = self._readers.get(id(tensor), [])
        if len(found) != 1 or found[0] is None:
            return None
        layer = found[0].operation
        fits = isinstance(layer, self._keras.layers.BatchNormalization) and self._calls[id(layer)] == 1
        return found[0] if fits and layer.axis in {-1, len(tensor.shape) - 1} else None


def augments(layer: Any) -> bool:
    """Whether inference passes a layer over: augmentation, or a model of nothing else."""
    import keras

    if not is_graph(layer):
        return type(layer).__name__.startswith("Random")
    inner = [one for one in layer.layers if not isinstance(one, keras.layers.InputLayer)]
    return bool(inner) and all(map(augments, inner))


def readers(model: Any) -> dict[int, list[Any]]:
    """For each tensor (its `id`) the nodes that read it, and None where it is an output of the model."""
    found: dict[int, list[Any]] = {}
    for node in nodes_in_order(model):
        for tensor in node.input_tensors:
            found.setdefault(id(tensor), []).append(node)
    for port in model.outputs:
        found.setdefault(id(port), []).append(None)
    return found


def calls(model: Any) -> dict[int, int]:
    """How many times each layer (its `id`) is called."""
    found: dict[int, int] = {}
    for node in nodes_in_order(model):
        found[id(node.operation)] = found.get(id(node.operation), 0) + 1
    return found


def kernels(model: Any) -> Iterator[Any]:
    """The calls of a flattened model's layers with one kernel and one bias, in order; shared layers are left out."""
    called = calls(model)
    for node in nodes_in_order(model):
        layer = node.operation
        if called[id(layer)] == 1 and hasattr(layer, "kernel") and getattr(layer, "bias", None) is not None:
            yield node


def kernel_and_bias(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In float64; a bias of zeros where the layer has none."""
    kernel = np.asarray(layer.kernel, np.float64)
    channels = kernel.shape[2] * kernel.shape[3] if _is_depthwise(layer) else kernel.shape[-1]
    bias = np.zeros(channels) if layer.bias is None else np.asarray(layer.bias, np.float64)
    return kernel, bias


def _take_in(
    layer: Any, kernel: NDArray[np.float64], bias: NDArray[np.float64], norm: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The kernel and the bias with the normalization behind them."""
    factor = 1 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.gamma is not None:
        factor = factor * np.asarray(norm.gamma, np.float64)
    shift = 0.0 if norm.beta is None else np.asarray(norm.beta, np.float64)
    bias = (bias - np.asarray(norm.moving_mean, np.float64)) * factor + shift
    return kernel * (factor.reshape(kernel.shape[2:]) if _is_depthwise(layer) else factor), bias


def _is_depthwise(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.DepthwiseConv2D)


def _is_linear(keras: Any, layer: Any) -> bool:
    return getattr(layer, "activation", None) in {None, keras.activations.linear}
