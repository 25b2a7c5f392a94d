"""Which artifact is the default of its format, by measured times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orilla_converters.choice import Candidate, defaults, settled
from orilla_converters.timing import Latency

NAMES = ("float32", "float16", "int8")
CANDIDATES = [Candidate(name, "onnx", name) for name in NAMES]


def latency(milliseconds: float, spread: float = 0.02) -> Latency:
    """Quartiles and the best time around a median."""
    low, high = milliseconds * (1 - spread), milliseconds * (1 + spread)
    return Latency(milliseconds, low, high, milliseconds * (1 - 2 * spread), 30)


def times(*milliseconds: float, spread: float = 0.02) -> dict[str, Latency]:
    return {name: latency(value, spread) for name, value in zip(NAMES, milliseconds, strict=True)}


@pytest.mark.parametrize(
    ("measured", "default"),
    [
        (times(10, 12, 5), "int8"),
        (times(10, 12, 30), "float32"),
        (times(10, 5, 30), "float16"),
        (times(10, 10, 11), "int8"),  # a close race goes to the small one
        (times(9.5, 9, 30), "float32"),  # and so it does between the two that are left
        (times(10, 12, 30, spread=0.9), "int8"),  # slower, but the quartiles meet
        ({}, "int8"),
        ({"float32": latency(1.0)}, "int8"),  # nobody knows how fast the others are
    ],
)
def test_the_default_is_the_fastest_where_that_is_clear(measured: dict[str, Latency], default: str) -> None:
    assert defaults(CANDIDATES, measured) == {"onnx": default}


def test_formats_are_apart() -> None:
    both = [Candidate("a", "tflite", "int8"), Candidate("b", "onnx", "float16"), Candidate("c", "onnx", "float32")]
    assert defaults(both, {}) == {"tflite": "a", "onnx": "c"}


def sittings(*found: dict[str, Latency]) -> Iterator[dict[str, Latency]]:
    yield from found


def test_what_stands_against_the_order_must_be_found_twice() -> None:
    slow, fast = times(10, 12, 30), times(10, 12, 5)
    for first, second, default in ((slow, slow, "float32"), (slow, fast, "int8")):
        left = sittings(first, second)
        assert settled(CANDIDATES, lambda left=left: next(left)) == ({"onnx": default}, first)  # type: ignore[misc]
        assert next(left, None) is None
    left = sittings(fast, slow)
    assert settled(CANDIDATES, lambda: next(left))[0] == {"onnx": "int8"}
    assert next(left, None) is slow, "one sitting is enough where the order stands"
