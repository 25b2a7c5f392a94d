"""Whether a `.tflite` file is of the precision that was asked: the converter may write another without a word."""

from __future__ import annotations

from orilla_converters.recipe import Recipe
from orilla_converters.tflite_file import FLOAT16, FLOAT32, INT8, Contents, contents
from orilla_runtime.errors import ConversionError

_WITHOUT_INT16 = frozenset({"SQUARED_DIFFERENCE"})
"""The converter of TensorFlow 2.21 writes these with 16 bits, and the interpreter aborts."""


def require_kind(data: bytes, recipe: Recipe) -> None:
    """Read back what was written: built-in operators alone, and weights and activations as the recipe says.

    Raises:
        ConversionError: with what is otherwise, and why.
    """
    found = contents(data)
    where = recipe.name
    if recipe.precision == "float16" and FLOAT16 not in found.constants:
        raise ConversionError(f"{where}: no weight is in 16 bits.", "Leave out float16 for this model.")
    if recipe.precision == "dynamic" and INT8 not in found.constants:
        raise ConversionError(
            f"{where}: no layer has the 1,024 weights from which TFLite stores them in 8 bits: it is the float file.",
            "Leave out dynamic for this model.",
        )
    missing = sorted(_WITHOUT_INT16 & set(found.operators)) if recipe.precision == "16x8" else []
    if missing:
        raise ConversionError(
            f"TFLite has no 16x8 form of {', '.join(missing)}.", "Leave out 16x8, or change the layers that need it."
        )
    if recipe.precision in {"int8", "16x8"}:
        _require_integers(found, recipe)
    if recipe.precision == "mixed" and not len(found.float_operators) < len(_computing(found)):
        raise ConversionError(f"{where}: everything stayed in float.", "Name fewer layers in float_layers.")


def _require_integers(found: Contents, recipe: Recipe) -> None:
    """Float is the softmax that gives an output, and no other: one of an attention has to be int8 like the rest."""
    left = list(found.float_operators)
    ends = found.float_ends.count("SOFTMAX") if recipe.io != "integer" else 0
    for _ in range(ends):
        left.remove("SOFTMAX")
    if not left:
        return
    if len(left) >= len(_computing(found)) - ends or (FLOAT32 in found.constants and INT8 not in found.constants):
        raise ConversionError(
            f"{recipe.name}: the converter quantized nothing.", "Check that the calibration pictures are real ones."
        )
    raise ConversionError(
        f"{recipe.name}: these operators have no int8 form and stayed in float: {', '.join(sorted(set(left)))}.",
        f"Change those layers, or leave out {recipe.precision} (--precision float32,float16).",
    )


def _computing(found: Contents) -> list[str]:
    return [name for name in found.operators if name not in {"QUANTIZE", "DEQUANTIZE"}]
