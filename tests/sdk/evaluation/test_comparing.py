"""Two models on the same pictures: paired, by path, with classes matched by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.evaluation.comparing import compare
from orilla.evaluation.judgement import Judgement, judge
from orilla_runtime.errors import DataError


def said(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], labels: str = "abc", paths: list[str] | None = None
) -> Judgement:
    scores = np.eye(len(labels), dtype=np.float32)[predicted]
    return judge(scores, truth, list(labels), paths=paths or [f"{index}.png" for index in range(len(truth))])


TRUTH = np.arange(300) % 3
WRONG = (TRUTH + 1) % 3


def test_a_better_model_is_told_from_chance() -> None:
    old = np.where(np.arange(300) < 60, WRONG, TRUTH)
    new = np.where(np.arange(300) < 20, WRONG, TRUTH)
    found = compare(said(old, TRUTH), said(new, TRUTH))
    assert (found.n, found.only_old, found.only_new) == (300, 0, 40)
    assert found.better
    assert not found.worse
    assert found.accuracy.value == pytest.approx(40 / 300)
    assert found.accuracy.low > 0
    assert found.balanced_accuracy.value == pytest.approx(
        said(new, TRUTH).balanced_accuracy.value - said(old, TRUTH).balanced_accuracy.value
    )
    assert found.macro_f1.value == pytest.approx(said(new, TRUTH).macro_f1.value - said(old, TRUTH).macro_f1.value)
    back = compare(said(new, TRUTH), said(old, TRUTH))
    assert back.worse
    assert back.accuracy.value == pytest.approx(-found.accuracy.value)
    assert back.accuracy.high == pytest.approx(-found.accuracy.low)
    json.dumps(back.to_json(), allow_nan=False)


def test_one_ruined_class_is_named() -> None:
    new = np.where((TRUTH == 2) & (np.arange(300) < 100), WRONG, TRUTH)
    found = compare(said(TRUTH, TRUTH), said(new, TRUTH))
    assert found.worse_classes == ("c",)
    assert [one.support for one in found.classes] == [100, 100, 100]


def test_the_same_model_is_neither() -> None:
    found = compare(said(WRONG, TRUTH), said(WRONG, TRUTH))
    assert (found.p, found.worse, found.better) == (1, False, False)
    assert found.accuracy.low < 0 < found.accuracy.high
    assert found.macro_f1.value == 0


def test_only_pictures_of_both_count_and_classes_go_by_name() -> None:
    paths = [f"{index}.png" for index in range(300)]
    order = np.random.default_rng(0).permutation(300)[:200]
    # The new model has one class more, in front of the others.
    new = said(TRUTH[order] + 1, TRUTH[order] + 1, "zabc", [paths[place] for place in order])
    found = compare(said(WRONG, TRUTH, paths=paths), new)
    assert (found.n, found.only_old, found.only_new) == (200, 0, 200)
    assert [one.label for one in found.classes] == ["a", "b", "c"]


def test_labels_may_repeat_where_both_models_have_the_same() -> None:
    found = compare(said(TRUTH, TRUTH, "crc"), said(WRONG, TRUTH, "crc"))
    assert (found.only_old, len(found.classes)) == (300, 3)
    with pytest.raises(DataError, match="twice"):
        compare(said(TRUTH, TRUTH, "crc"), said(TRUTH, TRUTH, "abc"))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="in common"):
        compare(said(TRUTH, TRUTH), said(TRUTH, TRUTH, paths=[f"new{index}" for index in range(300)]))
    with pytest.raises(DataError, match=r"0\.png"):
        compare(said(TRUTH, TRUTH), said(WRONG, WRONG))


def test_differences_have_intervals_that_hold() -> None:
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(80):
        pair = random.choice(4, 80, p=[0.8, 0.1, 0.05, 0.05])  # right both, old alone, new alone, neither
        truth = np.arange(80) % 3
        old = np.where((pair == 0) | (pair == 1), truth, (truth + 1) % 3)
        new = np.where((pair == 0) | (pair == 2), truth, (truth + 1) % 3)
        found = compare(said(old, truth), said(new, truth))
        inside += found.accuracy.low <= -0.05 <= found.accuracy.high
    assert inside >= 72
