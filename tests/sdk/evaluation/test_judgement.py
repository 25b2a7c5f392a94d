"""Figures against scikit-learn and against cases counted by hand; what holds for any scores holds here too."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from orilla.evaluation.judgement import Criteria, Judgement, judge
from orilla.evaluation.ranking import rank
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled.scores import wilson


def drawn(
    n: int, classes: int, seed: int, *, skill: float = 1.5, used: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities of a classifier with some skill, and the truth; only the first `used` classes have pictures."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, used or classes, n)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), truth] += skill
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), truth


def named(classes: int) -> list[str]:
    return [f"class {index}" for index in range(classes)]


@pytest.fixture(scope="module")
def judged() -> Judgement:
    return judge(*drawn(700, 6, 3, used=5), named(6))


def test_means_over_classes_are_those_of_scikit_learn(judged: Judgement) -> None:
    truth, found = judged.answers.truth, judged.answers.predicted
    assert judged.accuracy.top1 == pytest.approx(metrics.accuracy_score(truth, found))
    assert judged.balanced_accuracy.value == pytest.approx(
        metrics.recall_score(truth, found, labels=range(5), average="macro")
    )
    assert judged.macro_f1.value == pytest.approx(metrics.f1_score(truth, found, labels=range(5), average="macro"))
    assert judged.k == 5
    assert judged.top_k is not None
    assert judged.top_k.value == pytest.approx(
        metrics.top_k_accuracy_score(truth, judged.answers.scores, k=5, labels=range(6))
    )


def test_every_class_is_that_of_scikit_learn(judged: Judgement) -> None:
    truth, found = judged.answers.truth, judged.answers.predicted
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, found, labels=range(6), zero_division=np.nan
    )
    for place, one in enumerate(judged.classes[:5]):
        assert one.precision == pytest.approx(precision[place])
        assert one.recall is not None
        assert one.recall.value == pytest.approx(recall[place])
        assert (one.recall.low, one.recall.high) == pytest.approx(wilson(one.hits, one.support))
        assert one.f1 == pytest.approx(f1[place])
        assert one.support == support[place]
    without = judged.classes[5]
    assert (without.recall, without.f1, without.support) == (None, None, 0)
    matrix = np.zeros((6, 6), int)
    for row, column, n in judged.confusion:
        matrix[row, column] = n
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(truth, found, labels=range(6)))


def test_calibration_is_that_of_scikit_learn(judged: Judgement) -> None:
    truth, scores = judged.answers.truth, judged.answers.scores.astype(np.float64)
    scores /= scores.sum(axis=1, keepdims=True)
    assert judged.calibration.nll == pytest.approx(metrics.log_loss(truth, scores, labels=range(6)), rel=1e-5)
    hits = np.eye(6)[truth]
    assert judged.calibration.brier == pytest.approx(np.square(scores - hits).sum(axis=1).mean(), rel=1e-5)
    assert sum(one.n for one in judged.calibration.bins) == 700


def test_the_calibration_error_of_a_case_counted_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.3, 0.7]], np.float32)
    found = judge(scores, np.array([0, 1, 1, 1]), ["a", "b"]).calibration
    # Two of 0.9 with one right: 0.4 apart. 0.6 and 0.7, each right, in bins of their own: 0.4 and 0.3 apart.
    assert found.ece == pytest.approx((2 * 0.4 + 0.4 + 0.3) / 4)
    assert found.overconfidence == pytest.approx(3.1 / 4 - 3 / 4)


def test_rankings_are_those_of_scikit_learn(judged: Judgement) -> None:
    ranking = rank(judged.answers, judged.labels)
    assert [one.label for one in ranking.classes] == named(5)
    truth, scores = judged.answers.truth, judged.answers.scores
    for place, one in enumerate(ranking.classes):
        assert one.roc_auc == pytest.approx(metrics.roc_auc_score(truth == place, scores[:, place]))
        assert one.average_precision == pytest.approx(metrics.average_precision_score(truth == place, scores[:, place]))
        assert len(one.roc.x) == len(one.roc.y) <= 202
        assert (one.roc.x[0], one.roc.y[0], one.roc.x[-1], one.roc.y[-1]) == (0, 0, 1, 1)
    json.dumps(ranking.to_json(), allow_nan=False)


def test_intervals_hold_what_they_promise() -> None:
    """Of 200 sets of 120 pictures, drawn from a classifier whose figures are known, 95 % contain them."""
    recall, shares = np.array([0.98, 0.9, 0.8]), np.array([0.7, 0.2, 0.1])
    confusion = np.array([[0.98, 0.01, 0.01], [0.05, 0.9, 0.05], [0.1, 0.1, 0.8]]) * shares[:, None]
    f1 = np.mean(2 * np.diag(confusion) / (confusion.sum(axis=0) + shares))
    random = np.random.default_rng(0)
    inside = np.zeros(2)
    for _ in range(200):
        cells = np.repeat(np.arange(9), random.multinomial(120, confusion.ravel()))
        scores = np.eye(3, dtype=np.float32)[cells % 3]
        found = judge(scores, cells // 3, named(3))
        for place, (one, known) in enumerate(((found.balanced_accuracy, recall.mean()), (found.macro_f1, f1))):
            inside[place] += one.low <= known <= one.high
    assert (inside >= 0.91 * 200).all(), inside


def test_a_set_without_a_mistake_is_not_certain() -> None:
    found = judge(np.eye(2, dtype=np.float32)[[0, 1] * 20], np.array([0, 1] * 20), ["a", "b"])
    assert found.balanced_accuracy.value == found.macro_f1.value == 1
    assert 0.8 < found.balanced_accuracy.low < 0.95
    assert 0.8 < found.macro_f1.low < 0.95
    assert found.mistakes == ()


def test_mistakes_stand_with_the_surest_first() -> None:
    scores = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)
    found = judge(scores, np.array([1, 0, 0, 0]), ["a", "b"], paths=["w", "x", "y", "z"])
    assert [(one.path, one.predicted) for one in found.mistakes] == [("x", 1), ("z", 1), ("w", 0)]
    assert found.mistakes[0].score == pytest.approx(0.9)
    assert found.errors == 3


@pytest.mark.parametrize(
    ("n", "classes", "used"), [(1, 2, 2), (1, 1000, 1), (3, 1, 1), (800, 1000, 1000), (40, 1000, 2)]
)
def test_odd_sizes(n: int, classes: int, used: int) -> None:
    found = judge(*drawn(n, classes, 1, used=used), named(classes))
    text = json.dumps(found.to_json(), allow_nan=False)
    assert "scores" not in json.loads(text)
    assert len(found.classes) == classes
    assert 0 <= found.balanced_accuracy.low <= found.balanced_accuracy.value <= found.balanced_accuracy.high <= 1
    if used < 10:
        json.dumps(rank(found.answers, found.labels).to_json(), allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 8), st.floats(-3, 12))
def test_the_order_of_the_pictures_changes_nothing(seed: int, n: int, classes: int, skill: float) -> None:
    scores, truth = drawn(n, classes, seed, skill=skill)
    paths = [f"{index}.png" for index in range(n)]
    order = np.random.default_rng(seed).permutation(n)
    one = judge(scores, truth, named(classes), paths=paths)
    other = judge(scores[order], truth[order], named(classes), paths=[paths[index] for index in order])
    assert one.confusion == other.confusion
    assert one.balanced_accuracy == other.balanced_accuracy
    assert one.thresholds == other.thresholds
    assert [each.path for each in one.mistakes] == [each.path for each in other.mistakes]
    assert one.calibration.ece == pytest.approx(other.calibration.ece)
    assert 0 <= one.calibration.ece <= 1
    assert 0 <= one.calibration.brier <= 2
    assert one.calibration.nll >= 0
    for each in (one.balanced_accuracy, one.macro_f1):
        assert 0 <= each.low <= each.value <= each.high <= 1


@pytest.mark.parametrize(
    ("scores", "truth", "labels"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), ["a", "b"]),
        (np.zeros((2, 2)), np.zeros(3, int), ["a", "b"]),
        (np.zeros((2, 2)), np.zeros(2, int), ["a"]),
        (np.zeros((2, 2)), np.full(2, 2), ["a", "b"]),
        (np.full((2, 2), np.nan), np.zeros(2, int), ["a", "b"]),
    ],
)
def test_what_does_not_fit_together_is_refused(
    scores: NDArray[np.float64], truth: NDArray[np.int64], labels: list[str]
) -> None:
    with pytest.raises(DataError):
        judge(scores, truth, labels)


def test_criteria_are_checked() -> None:
    for wrong in ({"top_k": 0}, {"false_reject_rate": 1.5}, {"precision": -1}):
        with pytest.raises(UsageError):
            Criteria(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'good'"):
        judge(np.ones((1, 1)), np.zeros(1, int), ["a"], criteria=Criteria(ok_class="good"))
