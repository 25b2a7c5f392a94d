"""Dimensions of a search: their spelling, and what they refuse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.tuning.space import Choice, Dimension, Range, parse_dimension, with_type
from orilla_runtime.errors import UsageError

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
WORDS = st.from_regex(r"[a-z][a-z0-9=,.]{0,8}[a-z]", fullmatch=True).filter(
    lambda word: ".." not in word and word not in {"nan", "inf", "infinity"}
)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    numbers = st.integers(-10_000, 10_000) if draw(st.booleans()) else st.floats(-1e6, 1e6)
    low, high = sorted((draw(numbers), draw(numbers)))
    how = draw(st.sampled_from(["", "log", "step"]))
    step = (type(low)(1) if isinstance(low, int) else (high - low) / 2) if how == "step" else None
    if not low < high or (how == "log" and low <= 0) or (step is not None and not 0 < step <= high - low):
        return Range(draw(NAMES), 1, 2)
    return Range(draw(NAMES), low, high, how == "log", step)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    options = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS)
    return Choice(draw(NAMES), tuple(draw(st.lists(options, min_size=1, max_size=5, unique_by=repr))))


@settings(deadline=None)
@given(st.one_of(ranges(), choices()))
def test_a_spelling_is_read_as_it_was_meant(dimension: Dimension) -> None:
    read = parse_dimension(str(dimension))
    assert read == dimension
    assert str(read) == str(dimension)


@settings(deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"[a-z]+=[-0-9.e|:logx]{1,30}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        dimension = parse_dimension(text)
    except UsageError:
        return
    assert parse_dimension(str(dimension)) == dimension


@settings(deadline=None)
@given(ranges(), st.floats(0, 1))
def test_a_rounded_value_stays_within_the_range(dimension: Range, share: float) -> None:
    value = dimension.low + share * (dimension.high - dimension.low)
    rounded = dimension.rounded(value)
    assert dimension.low <= rounded <= dimension.high
    if not dimension.whole and dimension.low < rounded < dimension.high:
        assert math.isclose(rounded, value, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("learning_rate=0.0001..0.01:log", Range("learning_rate", 0.0001, 0.01, log=True)),
        ("learning_rate=1e-05 .. 1 : log", Range("learning_rate", 1e-05, 1.0, log=True)),
        ("epochs=5..20", Range("epochs", 5, 20)),
        ("image_size=32..96:16", Range("image_size", 32, 96, step=16)),
        ("dropout=0..0.5:0.1", Range("dropout", 0.0, 0.5, step=0.1)),
        ("batch_size=16|64", Choice("batch_size", (16, 64))),
        ("augmentation=none|flip,shift=0.1", Choice("augmentation", ("none", "flip,shift=0.1"))),
        ("optimizer=adamw", Choice("optimizer", ("adamw",))),
    ],
)
def test_examples(text: str, meant: Dimension) -> None:
    assert parse_dimension(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "learning_rate",
        "=1..2",
        "learning_rate=",
        "dropout=1..0",
        "dropout=1..1",
        "dropout=0..high",
        "learning_rate=0..1:log",
        "epochs=1..9:0",
        "epochs=1..9:20",
        "epochs=1..9:linear",
        "fit=crop|",
        "fit=crop|crop",
        "--fit=crop",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_dimension(text)
    assert caught.value.remedy


def test_a_field_gives_its_type() -> None:
    assert with_type(parse_dimension("dropout=0..1"), float) == Range("dropout", 0.0, 1.0)
    assert with_type(parse_dimension("dropout=0|1"), float) == Choice("dropout", (0.0, 1.0))
    assert with_type(parse_dimension("weights=1|2"), str) == Choice("weights", ("1", "2"))
    for text, kind in (("epochs=1.5..3", int), ("epochs=1|2.5", int), ("dropout=a|b", float), ("fit=1..2", str)):
        with pytest.raises(UsageError):
            with_type(parse_dimension(text), kind)


def test_what_a_trial_may_draw() -> None:
    assert Range("epochs", 5, 20).holds(5)
    assert not Range("epochs", 5, 20).holds(5.5)
    assert not Range("epochs", 5, 20).holds(21)
    assert Range("image_size", 32, 96, step=16).holds(48)
    assert not Range("image_size", 32, 96, step=16).holds(50)
    assert Range("dropout", 0.0, 0.5, step=0.1).holds(0.3)
    assert not Range("dropout", 0.0, 0.5).holds("none")
    assert not Choice("fit", ("crop",)).holds("stretch")
