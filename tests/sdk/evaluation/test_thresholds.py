"""A proposed threshold keeps what was wanted, and no better one would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.evaluation.thresholds import propose
from orilla_runtime.decisions import Rules
from orilla_runtime.tasks.classification import Prediction
from tests.sdk.evaluation.test_judgement import drawn

# Scores of class 0; the truth is 0 but for the last two.
SCORES = np.array([0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.55, 0.3, 0.75, 0.2])
TRUTH = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1])


def two(scores: np.ndarray) -> np.ndarray:
    return np.stack([scores, 1 - scores], axis=1)


def test_a_case_counted_by_hand() -> None:
    """Right: seven of class 0 from 0.55 up, and the 0.8 of class 1. Wrong: 0.3 (0.7 for class 1) and 0.75."""
    found = propose(two(SCORES), TRUTH, false_reject_rate=0.25)
    assert found.proposed is not None
    assert found.proposed.threshold == pytest.approx(0.7)  # 0.55 and 0.6 are given back: two of eight
    assert found.proposed.false_rejects is not None
    assert found.proposed.false_rejects.value == pytest.approx(2 / 8)
    assert found.proposed.accepted == 8  # 0.99 0.95 0.9 0.8 0.7 0.75, and 0.7 and 0.8 of class 1
    assert found.proposed.errors is not None
    assert found.proposed.errors.value == pytest.approx(2 / 8)
    assert [row.threshold for row in found.table] == sorted(row.threshold for row in found.table)
    assert found.proposed in found.table


def test_a_wanted_precision() -> None:
    found = propose(two(SCORES), TRUTH, false_reject_rate=0.05, precision=1.0)
    assert found.proposed is not None
    assert found.proposed.threshold == pytest.approx(0.7501)
    assert found.proposed.errors is not None
    assert found.proposed.errors.value == 0
    assert propose(two(SCORES), 1 - TRUTH, false_reject_rate=0.05, precision=0.99).proposed is None


def test_good_parts_and_defects() -> None:
    """0 is OK: 0.3 is a good part that is never taken for one, 0.75 a defect that is until the threshold passes it."""
    found = propose(two(SCORES), TRUTH, false_reject_rate=0.5, ok=(0, "good"))
    assert found.ok_class == "good"
    assert found.proposed is not None
    assert found.proposed.threshold == pytest.approx(0.8)
    assert found.proposed.missed is not None
    assert found.proposed.missed.value == 0
    assert found.proposed.false_rejects is not None
    assert found.proposed.false_rejects.value == pytest.approx(4 / 8)
    assert found.table[0].missed is not None
    assert found.table[0].missed.value == pytest.approx(1 / 2)
    assert propose(two(SCORES), TRUTH, false_reject_rate=0.05, ok=(0, "good")).proposed is None


def test_no_picture_is_right() -> None:
    found = propose(two(np.full(3, 0.9)), np.ones(3, int), false_reject_rate=0.05)
    assert found.proposed is None
    assert found.table[0].false_rejects is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 80), st.floats(0, 1))
def test_what_is_proposed_keeps_what_was_wanted_on_the_device_too(seed: int, n: int, rate: float) -> None:
    scores, truth = drawn(n, 3, seed)
    found = propose(scores, truth, false_reject_rate=rate).proposed
    right = scores.argmax(axis=1) == truth
    if found is None:
        assert not right.any()
        return
    assert found.false_rejects is not None
    assert found.false_rejects.value <= rate + 1e-9
    assert found.threshold == 1 or (scores.max(axis=1)[right] < found.threshold + 1e-4).mean() > rate - 1e-9
    rules = Rules(threshold=found.threshold)
    decided = [
        rules.decide([Prediction(str(i), int(i), float(row[i])) for i in np.argsort(-row, kind="stable")]).class_id
        for row in scores
    ]
    assert sum(one is not None for one in decided) == found.accepted
