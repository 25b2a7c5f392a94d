"""Which architectures the table has, in its order; nothing heavy is imported until one is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

CLASSES = 10


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table.

    builder: `module:function` in this package; called with `options`, it gives a `keras.Model` that takes raw pixels
        0..255. size: small ones are what `--quick` and CI run, large ones come last. saved_as: `keras` or `savedmodel`.
    reference: other options, with which the builder gives the model whose answers count, with the same weights.
    refusal: the cause (a key of `causes.CAUSES`) for which the whole row is to be refused; empty where it is to work.
    """

    name: str
    builder: str
    options: Mapping[str, Any]
    size: str = "medium"
    saved_as: str = "keras"
    reference: Mapping[str, Any] | None = None
    refusal: str = ""

    def build(self) -> Any:
        """The model with random weights."""
        return self._built(self.options)

    def reference_of(self, model: Any) -> Any:
        """The model that answers for `model`: mostly itself."""
        if self.reference is None:
            return model
        other = self._built(self.reference)
        other.set_weights(model.get_weights())
        return other

    def _built(self, options: Mapping[str, Any]) -> Any:
        module, _, function = self.builder.partition(":")
        return getattr(import_module(f"{__package__}.{module}"), function)(**options)


def _application(name: str, *, side: int = 96, rescaling: bool = True, size: str = "medium") -> Architecture:
    return Architecture(
        name, "applications:application", {"name": name, "side": side, "rescaling": rescaling}, size=size
    )


def _own(name: str, side: int, depth: int = 3, *, size: str = "small", shown: str = "") -> Architecture:
    return Architecture(shown or name, "networks:orilla", {"name": name, "side": side, "depth": depth}, size=size)


def _special(name: str, function: str, *, saved_as: str = "keras", refusal: str = "") -> Architecture:
    return Architecture(name, f"special:{function}", {}, size="small", saved_as=saved_as, refusal=refusal)


_ROWS = (
    _own("mnist_cnn", 28, 1),
    _own("mnist_cnn_deep", 28, 1),
    _own("cifar_cnn", 32),
    _own("small", 32, shown="Orilla small"),
    _own("efficientnet_lite0", 96, size="medium", shown="EfficientNet-Lite0"),
    _application("MobileNet"),
    _application("MobileNetV2"),
    _application("MobileNetV3Small", rescaling=False),
    _application("MobileNetV3Large", rescaling=False),
    _application("EfficientNetB0", rescaling=False),
    _application("EfficientNetV2B0", rescaling=False),
    _application("InceptionV3"),
    _application("ResNet50"),
    _application("ResNet50V2"),
    _application("Xception"),
    _application("VGG16", size="large"),
    _application("DenseNet121", size="large"),
    _application("NASNetMobile", size="large"),
    _application("ConvNeXtTiny", rescaling=False, size="large"),
    Architecture("RegNet-like (grouped)", "networks:grouped", {}, size="small"),
    Architecture("ViT (small)", "networks:transformer", {}, size="small"),
    Architecture("U-Net", "networks:u_net", {}, size="small"),
    _special("Normalization", "normalized"),
    _special("Random* layers", "augmented"),
    _special("Sequential", "sequential"),
    _special("nested", "nested"),
    _special("subclassed", "subclassed", saved_as="savedmodel"),
    _special("several outputs", "several_outputs"),
    _special("several inputs", "several_inputs"),
    Architecture(
        "mixed_float16",
        "special:half_precision",
        {"policy": "mixed_float16"},
        size="small",
        reference={"policy": "float32"},
    ),
    _special("open height and width", "open_size", refusal="open size"),
    _special("a Lambda layer", "with_lambda", refusal="foreign code"),
    _special("a Fourier transform", "with_fourier", refusal="no operator"),
)

ARCHITECTURES: Mapping[str, Architecture] = {row.name: row for row in _ROWS}
