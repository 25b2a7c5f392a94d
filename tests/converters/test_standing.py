"""What is said where int8 is slower or larger than float32, and which artifacts no other beats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from orilla.cli.conversion_table import print_conversion
from orilla_converters.gates import gate_for
from orilla_converters.metrics import compare
from orilla_converters.recipe import Recipe
from orilla_converters.results import ConversionResult, artifact_results
from orilla_converters.standing import Standing, alike, artifact_path, near_chance, remarks, standings
from orilla_converters.timing import Latency
from orilla_converters.verify import Verdict
from orilla_runtime.labelled.scores import top1

CLASSES, PICTURES = 4, 40
TRUTH = np.arange(PICTURES) % CLASSES


def scores(wrong: int) -> np.ndarray:
    """Probabilities of a net that is sure, and wrong on the first so many pictures."""
    best = np.where(np.arange(PICTURES) < wrong, (TRUTH + 1) % CLASSES, TRUTH)
    return np.where(np.eye(CLASSES)[best] == 1, 0.91, 0.03).astype(np.float32)


def verdict(precision: str, size: int, wrong: int = 0) -> Verdict:
    comparison = compare(scores(0), scores(wrong), TRUTH)
    gate = gate_for(precision, labelled=True)
    return Verdict(Recipe("onnx", precision), bytes(size), (), (), gate, comparison, ())


def stood(
    sizes: Mapping[str, int], milliseconds: Mapping[str, float], default: str, **wrong: int
) -> dict[str, Standing]:
    """The rows by precision; times are within one per cent of their medians."""
    verdicts = {name: verdict(name, size, wrong.get(name, 0)) for name, size in sizes.items()}
    latencies = {
        artifact_path(verdicts[name]): Latency(time, time * 0.995, time * 1.005, time * 0.99, 30)
        for name, time in milliseconds.items()
    }
    rows = standings(list(verdicts.values()), latencies, {"onnx": f"artifacts/{default}.onnx"})
    return dict(zip(verdicts, rows, strict=True))


def told(rows: Mapping[str, Standing]) -> list[str]:
    return [note.text for note in remarks(list(rows.values()))]


def test_slower_and_larger_is_said_in_notes_and_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = stood({"float32": 1000, "int8": 1100}, {"float32": 10.0, "int8": 13.0}, "float32")
    assert told(rows) == [
        "float32.onnx is the default for onnx: it is clearly faster here than int8.onnx.",
        "int8.onnx is slower than float32 here: 1.30x, 13 ms.",
        "int8.onnx is larger than float32: 1.10x, 1,100 bytes.",
    ]
    result = ConversionResult(Path("a.orilla"), "id", artifact_results(list(rows.values())), 20)
    print_conversion(result)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("int8.onnx"))
    assert line.rstrip().endswith("slower larger")
    assert "1.30x" in line


def test_nothing_is_said_where_there_is_nothing_to_say() -> None:
    assert told(stood({"float32": 1000, "int8": 300}, {"float32": 10.0, "int8": 10.2}, "int8")) == []
    assert told(stood({"float32": 1000, "int8": 300}, {}, "int8")) == []
    assert told(stood({"int8": 300}, {"int8": 5.0}, "int8")) == [], "nothing to compare it with"
    # Twice as fast and small enough, and as good: there is no reason to take another.
    rows = stood({"float32": 1000, "int8": 300}, {"float32": 10.0, "int8": 5.0}, "int8")
    assert (rows["int8"].size_ratio, rows["int8"].time_ratio) == (0.3, 0.5)


@pytest.mark.parametrize(
    ("right", "of", "classes", "said"),
    [(0.03, 200, 2, True), (0.1, 300, 10, True), (0.95, 300, 10, False), (0.54, 400, 1000, False), (0.7, 20, 2, False)],
)
def test_a_keras_model_that_guesses_is_named(right: float, of: int, classes: int, said: bool) -> None:
    truth = np.arange(of) % classes
    keras = top1(np.where(np.arange(of) < right * of, truth, (truth + 1) % classes), truth)
    notes = near_chance(keras, truth)
    assert bool(notes) is said
    assert all(f"{keras.top1 * 100:.1f} %" in note.text for note in notes)
    assert near_chance(None, None) == []


def test_a_keras_model_that_tells_no_picture_from_another_is_named() -> None:
    (note,) = alike(np.full((5, 4), 0.25, np.float32))
    assert "was the model trained" in note.text
    assert alike(scores(3)) == []
    assert alike(scores(3)[:1]) == []


def test_what_another_beats_in_everything_is_not_on_the_front() -> None:
    times = {"float32": 10.0, "float16": 10.1, "int8": 5.0}
    rows = stood({"float32": 1000, "float16": 500, "int8": 300}, times, "int8", int8=1)
    # float16 is half of float32 at the same top-1, and not clearly slower; int8 is worse in top-1 alone.
    assert {name: row.pareto for name, row in rows.items()} == {"float32": False, "float16": True, "int8": True}
    rows = stood({"float32": 1000, "float16": 500, "int8": 300}, times, "int8")
    assert {name: row.pareto for name, row in rows.items()} == {"float32": False, "float16": False, "int8": True}
