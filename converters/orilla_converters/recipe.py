"""Recipe: what artifact to make, as data, with a one-line spelling.

tflite:float32    onnx:int8    tflite:int8,calibration=200
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orilla_runtime.errors import UsageError

FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "float16", "int8")
MIN_CALIBRATION, DEFAULT_CALIBRATION, MAX_CALIBRATION = 1, 100, 10_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """One artifact to make. `calibration` is the number of pictures that an int8 artifact is calibrated on."""

    format: str
    precision: str
    calibration: int = DEFAULT_CALIBRATION

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UsageError(f"Unknown format {self.format!r}.", f"Orilla writes {', '.join(FORMATS)}.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"Unknown precision {self.precision!r}.", f"Orilla knows {', '.join(PRECISIONS)}.")
        if not MIN_CALIBRATION <= self.calibration <= MAX_CALIBRATION:
            raise UsageError(
                f"Cannot calibrate on {self.calibration} pictures.",
                f"Take {MIN_CALIBRATION} to {MAX_CALIBRATION}; 100 are enough for most models.",
            )

    @property
    def suffix(self) -> str:
        """The file's suffix, with its dot."""
        return f".{self.format}"

    @property
    def calibrated(self) -> bool:
        """True where the recipe needs pictures."""
        return self.precision == "int8"

    def __str__(self) -> str:
        knobs = f",calibration={self.calibration}" if self.calibrated else ""
        return f"{self.format}:{self.precision}{knobs}"


def parse_recipe(spelling: str) -> Recipe:
    """Read `FORMAT:PRECISION[,knob=value…]`; `str(recipe)` gives the same line back.

    Raises:
        UsageError: not such a line.
    """
    head, *knobs = spelling.strip().split(",")
    format_, _, precision = head.partition(":")
    recipe = Recipe(format_, precision)
    for knob in knobs:
        name, _, value = knob.partition("=")
        if name != "calibration" or not value.isdecimal():
            raise UsageError(f"Recipe {spelling!r}: unknown knob {knob!r}.", "Known: calibration=N.")
        recipe = replace(recipe, calibration=int(value))
    return recipe
