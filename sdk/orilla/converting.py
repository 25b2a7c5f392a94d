"""`orilla.convert`: from a Keras model, or the name of a pretrained one, to a verified bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla_converters.recipe import DEFAULT_CALIBRATION, FORMATS, Recipe, default_precisions, parse_recipe

if TYPE_CHECKING:
    from orilla_converters.results import ConversionResult


def convert(
    model: Any,
    *,
    data: str | Path,
    output: str | Path,
    formats: Sequence[str] = FORMATS,
    precisions: Sequence[str] = (),
    recipes: Sequence[str] = (),
    calibration: int = DEFAULT_CALIBRATION,
    io: str = "uint8",
    batch: str = "1",
    **options: Any,
) -> ConversionResult:
    """Convert, prove every artifact against the Keras model, and write a bundle.

    Args:
        model: a `.keras` or `.h5` file, the folder of a SavedModel, a Keras model in memory, or the name of a
            pretrained one (`efficientnet_lite0`).
        data: a folder with a subfolder a class, a CSV or JSONL, a folder of pictures without labels, an `.npz` with
            labelled pictures or with an array for each input of the model, or a named set such as `mnist`.
        output: the bundle, `NAME.orilla`; it is there whole or not at all.
        formats, precisions, io, batch: every combination of a format and a precision becomes an artifact; without
            precisions float32, float16 and int8 of `tflite` and `onnx`, and float32 of `savedmodel`.
        recipes: in their place, artifacts spelled out: `tflite:int8,io=integer`, as `orilla recipes` explains them.
        calibration: how many pictures int8 artifacts are calibrated on, where no recipe says it; the others judge.
        options: `max_drop`, `report`, `timing`, `labels`, … as `orilla_converters.conversion.convert` takes them.

    Raises:
        GateError: an artifact is worse than its gate allows; no bundle was written.
        ConversionError: a converter failed. DataError: the pictures do not fit the model.
    """
    from orilla.data.opening import data_file, is_labelled_arrays, is_named
    from orilla_converters.conversion import convert as convert_file

    if is_named(data) or is_labelled_arrays(data):
        data = data_file(data)
    wanted = [parse_recipe(recipe, calibration) for recipe in recipes]
    if not wanted:
        pairs = [(format_, precision) for format_ in formats for precision in precisions or default_precisions(format_)]
        wanted = [Recipe(format_, precision, calibration, io, batch) for format_, precision in pairs]
    if not is_pretrained(model):
        return convert_file(model, data=data, output=output, recipes=wanted, **options)
    with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
        file = Path(folder) / f"{model}.keras"
        save_pretrained(str(model), file)
        return convert_file(file, data=data, output=output, recipes=wanted, **options)


def is_pretrained(model: Any) -> bool:
    """True for a name of a pretrained model that no file of that name hides."""
    from orilla.models.zoo import PRETRAINED

    return isinstance(model, str | Path) and str(model) in PRETRAINED and not Path(model).exists()


def save_pretrained(name: str, path: Path) -> None:
    """Write the pretrained model with its labels and preprocessing as a `.keras` file.

    It happens in a process of its own: TensorFlow stays out of this one, and its noise off the screen.
    """
    from orilla_converters.worker import call

    call("orilla.models.zoo:write_pretrained", {"name": name, "path": str(path)}, what=f"building {name}")
