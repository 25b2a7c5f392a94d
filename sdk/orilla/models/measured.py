"""What `python -m benchmarks.zoo` measured of each model: its size, its work, and what int8 makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FILE = "measured.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """One model with `classes` classes at `image_size` pixels.

    parameters, macs: of one picture. size_ratio, time_ratio: of its int8 TFLite file to the float32 one, in bytes and
    in milliseconds of a call on the machine that measured. ms: of the float32 file.
    trained_on: the pictures that it was judged on, and `n`, how many judged; None where the weights were random: then
    nothing says how well int8 follows float32. top1, int8_top1: fractions right, of the float32 and the int8 file.
    agreement: share of pictures on which the int8 file and Keras name the same class. sqnr_db: of its logits. None is
    what was not measured.
    """

    image_size: int
    channels: str
    classes: int
    parameters: int
    macs: int
    size_ratio: float | None = None
    time_ratio: float | None = None
    ms: float | None = None
    trained_on: str | None = None
    n: int | None = None
    top1: float | None = None
    int8_top1: float | None = None
    agreement: float | None = None
    sqnr_db: float | None = None


@cache
def measured() -> Mapping[str, Measured]:
    """The figures by the model's name; a model that is new may have none."""
    text = resources.files("orilla.models").joinpath(FILE).read_text(encoding="utf-8")
    return {
        row["name"]: Measured(
            **{name: row[name] for name in ("image_size", "channels", "classes", "parameters", "macs")},
            trained_on=row["trained_on"],
            n=row.get("n"),
            **_of_files(row.get("float32", {}), row.get("int8", {})),
        )
        for row in json.loads(text)["models"]
    }


def _of_files(float32: Mapping[str, Any], int8: Mapping[str, Any]) -> dict[str, Any]:
    figures = {name: int8.get(name) for name in ("size_ratio", "time_ratio", "agreement", "sqnr_db")}
    return {**figures, "ms": float32.get("ms"), "top1": float32.get("top1"), "int8_top1": int8.get("top1")}
