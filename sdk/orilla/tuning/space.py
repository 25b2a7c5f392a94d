"""What is searched: dimensions as data, and their one-line spelling.

learning_rate=0.0001..0.01:log     a range, drawn on a logarithmic scale
dropout=0.0..0.5:0.1               a range in steps
epochs=5..20                       whole numbers
augmentation=none|flip,shift=0.1   a choice
optimizer=adamw                    one value: nothing to choose, every trial has it
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orilla_runtime.errors import UsageError

Value = int | float | str

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WHOLE = re.compile(r"-?\d+")
_RANGE = re.compile(r"(?P<low>[^|:]+?)\.\.(?P<high>[^|:]+?)(?::(?P<how>[^|:]+))?")
_DIGITS = 4
"""Significant digits of a drawn number: what a person copies into a command gives the same training."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where both are `int`.

    log: drawn on a logarithmic scale. step: only `low`, `low + step`, …
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(f"{self}: the second end must be above the first.", f"Write {self.name}=0.001..0.01.")
        if self.log and self.low <= 0:
            raise UsageError(f"{self}: a logarithmic scale has no 0.", "Begin above 0, or leave out :log.")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise UsageError(f"{self}: the step does not fit.", "Take one that is above 0 and within the range.")

    @property
    def whole(self) -> bool:
        """True where the values are whole numbers."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    def holds(self, value: Value) -> bool:
        """True where a trial may draw `value`."""
        if isinstance(value, str) or not self.low <= value <= self.high:
            return False
        if self.whole and value != int(value):
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) < 1e-9

    def rounded(self, value: float) -> int | float:
        """A drawn value in few digits, still within the range."""
        if self.whole:
            return int(value)
        return min(max(float(f"{value:.{_DIGITS}g}"), float(self.low)), float(self.high))

    def __str__(self) -> str:
        how = ":log" if self.log else "" if self.step is None else f":{self.step!r}"
        return f"{self.name}={self.low!r}..{self.high!r}{how}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values. With a single one there is nothing to search: every trial has it."""

    name: str
    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        spelled = [_spelled(option) for option in self.options]
        if not spelled or any(not text or text != text.strip() or "|" in text for text in spelled):
            raise UsageError(f"{self.name} has an empty choice.", f"Write {self.name}=one|other.")
        if len(set(spelled)) < len(spelled):
            raise UsageError(f"{self}: a choice stands there twice.", "Leave it out once.")

    def holds(self, value: Value) -> bool:
        """True where a trial may draw `value`."""
        return value in self.options

    def __str__(self) -> str:
        return f"{self.name}={'|'.join(map(_spelled, self.options))}"


Dimension = Range | Choice


def parse_dimension(text: str) -> Dimension:
    """A dimension from its spelling; `str` gives the spelling again.

    Raises:
        UsageError: a text that is no such spelling.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not values:
        raise UsageError(
            f"{text!r} says nothing to search.", "Write learning_rate=0.0001..0.01:log or batch_size=16|64."
        )
    ends = _RANGE.fullmatch(values)
    if ends and isinstance(low := _value(ends["low"]), int | float):
        high, how = _value(ends["high"]), (ends["how"] or "").strip()
        step = _value(how) if how not in {"", "log"} else None
        if isinstance(high, str) or isinstance(step, str):
            raise UsageError(
                f"{text!r} is no range.", f"Write {name}=0.001..0.01, {name}=0.001..0.01:log or {name}=1..9:2."
            )
        return _typed_range(Range(name, low, high, how == "log", step))
    return Choice(name, tuple(_value(option) for option in values.split("|")))


def with_type(dimension: Dimension, kind: type) -> Dimension:
    """The dimension for a field of this type: `dropout=0..1` are numbers with a fraction, `epochs=1.5..3` is refused.

    Raises:
        UsageError: values that are not of the type.
    """
    if kind is float:
        return _as_floats(dimension)
    if kind is int and not _only(dimension, int):
        raise UsageError(f"{dimension}: {dimension.name} takes whole numbers.", f"Write {dimension.name}=16|32.")
    if kind not in {int, float} and isinstance(dimension, Range):
        raise UsageError(f"{dimension}: {dimension.name} has no range.", f"Write {dimension.name}=one|other.")
    if kind is str and isinstance(dimension, Choice):
        return replace(dimension, options=tuple(map(_spelled, dimension.options)))
    return dimension


def single(dimensions: Iterable[Dimension]) -> dict[str, Value]:
    """The values of the dimensions that have only one."""
    return {each.name: each.options[0] for each in dimensions if isinstance(each, Choice) and len(each.options) == 1}


def searched(dimensions: Iterable[Dimension]) -> tuple[Dimension, ...]:
    """The dimensions that leave a choice."""
    return tuple(each for each in dimensions if isinstance(each, Range) or len(each.options) > 1)


def spelled_values(values: Mapping[str, Value]) -> str:
    """`learning_rate=0.004 batch_size=32`, for people."""
    return " ".join(f"{name}={_spelled(value)}" for name, value in values.items())


def _typed_range(found: Range) -> Range:
    """All numbers with a fraction where one of them has one."""
    if found.whole:
        return found
    step = None if found.step is None else float(found.step)
    return replace(found, low=float(found.low), high=float(found.high), step=step)


def _as_floats(dimension: Dimension) -> Dimension:
    if isinstance(dimension, Range):
        step = None if dimension.step is None else float(dimension.step)
        return replace(dimension, low=float(dimension.low), high=float(dimension.high), step=step)
    if not _only(dimension, int, float):
        raise UsageError(f"{dimension}: {dimension.name} takes numbers.", f"Write {dimension.name}=0.0|0.1.")
    return replace(dimension, options=tuple(float(option) for option in dimension.options))


def _only(dimension: Dimension, *kinds: type) -> bool:
    if isinstance(dimension, Range):
        return float in kinds or dimension.whole
    return all(isinstance(option, kinds) for option in dimension.options)


def _value(text: str) -> Value:
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _spelled(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of an option.", "Write learning_rate=0.0001..0.01:log.")
