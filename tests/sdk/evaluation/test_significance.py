"""Exact tests against scipy, and slices that are worse by design, by their classes, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orilla.evaluation.significance import holm, mcnemar, worse_than_the_rest
from orilla.evaluation.slices import judge_slices, slice_values
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_a_binomial_test(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_one_stratum_is_fishers_test(wrong: int, right: int, other_wrong: int, other_right: int) -> None:
    members, everyone = wrong + right, wrong + right + other_wrong + other_right
    found = worse_than_the_rest([(wrong, members, wrong + other_wrong, everyone)])
    expected = stats.fisher_exact([[wrong, right], [other_wrong, other_right]], "greater").pvalue
    assert found == pytest.approx(expected, abs=1e-9)


def test_several_strata_are_counted_by_hand() -> None:
    # Each stratum: one of two is in the group, one of two is wrong; both wrong ones are in the group: 1/2 times 1/2.
    assert worse_than_the_rest([(1, 1, 1, 2), (1, 1, 1, 2)]) == pytest.approx(0.25)
    assert worse_than_the_rest([(0, 1, 1, 2), (0, 1, 1, 2)]) == pytest.approx(1)


def test_many_questions_make_a_small_p_less_small() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()


def test_a_biased_slice_is_named() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 600)
    camera = np.array(["left", "right", "top"])[random.integers(0, 3, 600)]
    wrong = random.random(600) < np.where(camera == "right", 0.3, 0.05)
    found = judge_slices("camera", camera.tolist(), truth, (truth + wrong) % 3, 3)
    assert [one.value for one in found.slices if one.worse] == ["right"]
    assert found.slices[0].value == "right"
    (sentence,) = found.findings
    assert sentence.startswith("camera right: ")
    assert "also class by class" in sentence
    assert sum(one.n for one in found.slices) == 600


def test_a_slice_of_hard_classes_is_told_from_a_biased_one() -> None:
    random = np.random.default_rng(1)
    truth = np.repeat([0, 1], 300)
    line = np.where(random.random(600) < np.where(truth == 1, 0.9, 0.1), "second", "first")
    wrong = random.random(600) < np.where(truth == 1, 0.3, 0.02)
    (sentence,) = judge_slices("line", line.tolist(), truth, truth ^ wrong, 2).findings
    assert "its mixture of classes may be the reason" in sentence


def test_equal_slices_are_seldom_called_worse() -> None:
    random = np.random.default_rng(2)
    named = 0
    for _ in range(60):
        truth = random.integers(0, 2, 200)
        shift = random.integers(0, 4, 200).astype(str).tolist()
        named += bool(judge_slices("shift", shift, truth, truth ^ (random.random(200) < 0.1), 2).findings)
    assert named <= 8  # one of twenty is expected


def images(paths: list[str], columns: dict[str, tuple[str, ...]] | None = None) -> LabelledImages:
    classes = tuple(sorted({path.split("/")[0] for path in paths}))
    ids = np.array([classes.index(path.split("/")[0]) for path in paths])
    return LabelledImages(Path("photos"), tuple(map(Path, paths)), ids, classes, columns=columns or {})


def test_slices_come_from_a_column_or_from_the_folders_below_the_class() -> None:
    some = images(["cat/day/1.png", "dog/night/1.png", "dog/2.png"], {"camera": ("a", "b", " ")})
    assert slice_values(some, "folder") == ("day", "night", "(empty)")
    assert slice_values(some, "camera") == ("a", "b", "(empty)")
    with pytest.raises(UsageError, match="'light'"):
        slice_values(some, "light")
    with pytest.raises(UsageError, match="same folder"):
        slice_values(images(["cat/1.png", "dog/2.png"]), "folder")
