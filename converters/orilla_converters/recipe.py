"""Recipe: what artifact to make, as data, with a one-line spelling.

tflite:float32    onnx:int8    tflite:int8,calibration=200,io=integer    tflite:mixed,float_layers=stem+head
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orilla_runtime.errors import UsageError

FORMATS = ("tflite", "onnx")
"""What a conversion writes unless it is told otherwise."""
PRECISIONS = ("float32", "float16", "int8")
"""What a conversion writes of each format unless it is told otherwise, where the format has it."""
IOS = ("uint8", "integer", "float")
BATCHES = ("1", "dynamic")
MIN_CALIBRATION, DEFAULT_CALIBRATION, MAX_CALIBRATION = 1, 100, 10_000
_SEPARATORS = frozenset(",+= \t\n")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a format and precision stand for: stored weights, computed activations, the `io` that it can have."""

    weights: str
    activations: str
    ios: tuple[str, ...]
    note: str


_FLOAT_IO = ("uint8", "float")
MEANINGS: Mapping[tuple[str, str], Meaning] = {
    ("tflite", "float32"): Meaning("float32", "float32", _FLOAT_IO, "the reference on a device"),
    ("tflite", "float16"): Meaning("float16", "float32", _FLOAT_IO, "half the size; GPUs compute in 16 bits"),
    ("tflite", "dynamic"): Meaning("int8", "float32", _FLOAT_IO, "for size alone: convolutions get slower"),
    ("tflite", "int8"): Meaning("int8 per channel", "int8", IOS, "the smallest and mostly the fastest"),
    ("tflite", "16x8"): Meaning("int8 per channel", "int16", _FLOAT_IO, "for accelerators: slow on a CPU"),
    ("tflite", "mixed"): Meaning("int8 per channel", "int8; float32 in float_layers", _FLOAT_IO, "repairs int8"),
    ("onnx", "float32"): Meaning("float32", "float32", _FLOAT_IO, "the reference on a PC"),
    ("onnx", "float16"): Meaning("float16", "float16", _FLOAT_IO, "for size and GPUs: not faster on a CPU"),
    ("onnx", "int8"): Meaning("int8 per channel", "uint8, QDQ", _FLOAT_IO, "calibrated by minimum and maximum"),
    ("onnx", "mixed"): Meaning("int8 per channel", "uint8, QDQ; float32 in float_layers", _FLOAT_IO, "repairs int8"),
    ("savedmodel", "float32"): Meaning("float32", "float32", ("uint8",), "for TensorFlow Serving; batch open"),
}
"""The decoder: everything that Orilla writes. The softmax of a classifier stays in float but for `io=integer`."""
CALIBRATED = frozenset({"int8", "16x8", "mixed"})


@dataclass(frozen=True, slots=True)
class Recipe:
    """One artifact to make.

    calibration: the number of pictures that a quantized artifact is calibrated on.
    io: `uint8` takes the raw bytes of a picture and gives float32; `integer` gives uint8 too; `float` takes float32
        that is normalized already, for GPUs, NPUs and CoreML.
    batch: `1`, or `dynamic` for any number of pictures.
    float_layers: names of the Keras layers that `mixed` leaves in float.
    """

    format: str
    precision: str
    calibration: int = DEFAULT_CALIBRATION
    io: str = "uint8"
    batch: str = "1"
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        meaning = _meaning(self.format, self.precision)
        if self.io not in IOS:
            raise UsageError(f"Unknown io {self.io!r}.", f"Orilla knows {', '.join(IOS)}.")
        if self.io not in meaning.ios:
            raise UsageError(
                f"{self.format}:{self.precision} cannot have io={self.io}.", f"It can have {', '.join(meaning.ios)}."
            )
        if self.batch not in BATCHES:
            raise UsageError(f"Unknown batch {self.batch!r}.", f"Orilla knows {', '.join(BATCHES)}.")
        if not MIN_CALIBRATION <= self.calibration <= MAX_CALIBRATION:
            raise UsageError(
                f"Cannot calibrate on {self.calibration} pictures.",
                f"Take {MIN_CALIBRATION} to {MAX_CALIBRATION}; 100 are enough for most models.",
            )
        if bool(self.float_layers) != (self.precision == "mixed"):
            raise UsageError(
                f"{self.format}:{self.precision}: float_layers and the precision mixed belong together.",
                "Spell it FORMAT:mixed,float_layers=NAME+NAME with names of Keras layers.",
            )
        if any(not name or _SEPARATORS & set(name) for name in self.float_layers):
            raise UsageError(f"Impossible layer names: {list(self.float_layers)}.", "Give names of Keras layers.")

    @property
    def open_batch(self) -> bool:
        """True where the artifact takes any number of pictures at a time; a server always wants that."""
        return self.batch == "dynamic" or self.format == "savedmodel"

    @property
    def suffix(self) -> str:
        """The file's suffix, with its dot."""
        return f".{self.format}"

    @property
    def name(self) -> str:
        """The artifact's file name: `int8.tflite`, `int8-integer.tflite`, `float32-dynamic-batch.onnx`."""
        io = "" if self.io == "uint8" else f"-{self.io}"
        batch = "" if self.batch == "1" else "-dynamic-batch"
        return f"{self.precision}{io}{batch}{self.suffix}"

    @property
    def calibrated(self) -> bool:
        """True where the recipe needs pictures."""
        return self.precision in CALIBRATED

    def __str__(self) -> str:
        knobs = [f"calibration={self.calibration}"] if self.calibrated else []
        knobs += [f"io={self.io}"] if self.io != "uint8" else []
        knobs += [f"batch={self.batch}"] if self.batch != "1" else []
        knobs += [f"float_layers={'+'.join(self.float_layers)}"] if self.float_layers else []
        return ",".join([f"{self.format}:{self.precision}", *knobs])


def default_precisions(format_: str) -> tuple[str, ...]:
    """What a conversion writes of this format unless it is told otherwise.

    Raises:
        UsageError: no such format.
    """
    _require_format(format_)
    return tuple(precision for precision in PRECISIONS if (format_, precision) in MEANINGS)


def _require_format(format_: str) -> None:
    formats = tuple(dict.fromkeys(format_ for format_, _ in MEANINGS))
    if format_ not in formats:
        raise UsageError(f"Unknown format {format_!r}.", f"Orilla writes {', '.join(formats)}.")


def _meaning(format_: str, precision: str) -> Meaning:
    _require_format(format_)
    known = [each for form, each in MEANINGS if form == format_]
    if precision not in known:
        raise UsageError(f"{format_} has no precision {precision!r}.", f"Orilla knows {', '.join(known)} there.")
    return MEANINGS[format_, precision]


def parse_recipe(spelling: str, calibration: int = DEFAULT_CALIBRATION) -> Recipe:
    """Read `FORMAT:PRECISION[,knob=value…]`; `str(recipe)` gives the same line back.

    calibration: the number of pictures where the line does not say it.

    Raises:
        UsageError: not such a line.
    """
    head, *knobs = spelling.strip().split(",")
    format_, _, precision = head.partition(":")
    values = dict(_knob(spelling, knob) for knob in knobs)
    # Made at once: mixed without its layers is refused, and so is an unknown name before any knob.
    _meaning(format_, precision)
    if len(values) < len(knobs):
        raise UsageError(f"Recipe {spelling!r} says one knob twice.", "Say each once.")
    if "calibration" in values and precision not in CALIBRATED:
        raise UsageError(f"{format_}:{precision} is not calibrated.", "Leave out calibration=N.")
    return Recipe(format_, precision, **{"calibration": calibration, **values})


def _knob(spelling: str, knob: str) -> tuple[str, Any]:
    name, _, value = knob.partition("=")
    if name == "calibration" and value.isdecimal():
        return name, int(value)
    if name in {"io", "batch"} and value:
        return name, value
    if name == "float_layers" and value:
        return name, tuple(value.split("+"))
    raise UsageError(
        f"Recipe {spelling!r}: unknown knob {knob!r}.",
        "Known: calibration=N, io=uint8|integer|float, batch=1|dynamic, float_layers=NAME+NAME.",
    )
