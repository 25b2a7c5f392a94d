"""Thresholds, margins and smoothing, as a run applies them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.decisions import UNKNOWN, Decider, Rules
from orilla_runtime.errors import UsageError
from orilla_runtime.sinks.base import Record
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.tasks.classification import Classification, Decision, Prediction

LABELS = ("good", "scratch", "dent")
IMAGE = np.zeros((4, 4, 3), np.uint8)


def record(*scores: float, index: int = 0, source: str = "line 1", seconds: float | None = None) -> Record:
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    predictions = tuple(Prediction(LABELS[place], place, scores[place]) for place in order)
    frame = Frame(IMAGE, index, source, seconds, time.monotonic_ns(), datetime.now(UTC))
    return Record(frame, Classification(predictions), None, None, None, "a.tflite", "litert/cpu")


def decided(decider: Decider, one: Record) -> Decision:
    decision = decider(one).result.decision
    assert isinstance(decision, Decision)
    return decision


def test_the_best_class_is_the_decision_without_rules() -> None:
    found = decided(Decider(Rules(), LABELS), record(0.2, 0.5, 0.3))
    assert (found.label, found.class_id, found.score, found.reason) == ("scratch", 1, 0.5, "")


def test_below_its_threshold_a_class_is_unknown_and_the_reason_says_by_how_much() -> None:
    found = decided(Decider(Rules(threshold=0.6), LABELS), record(0.2, 0.5, 0.3))
    assert (found.label, found.class_id) == (UNKNOWN, None)
    assert found.reason == "scratch has 0.50, below its threshold of 0.6"


def test_a_label_may_have_a_threshold_of_its_own() -> None:
    rules = Rules(threshold=0.6, thresholds={"scratch": 0.4})
    assert decided(Decider(rules, LABELS), record(0.2, 0.5, 0.3)).label == "scratch"
    assert decided(Decider(rules, LABELS), record(0.5, 0.2, 0.3)).label == UNKNOWN


def test_too_small_a_lead_is_unknown() -> None:
    rules = Rules(margin=0.1)
    assert decided(Decider(rules, LABELS), record(0.45, 0.4, 0.15)).label == UNKNOWN
    assert decided(Decider(rules, LABELS), record(0.5, 0.35, 0.15)).label == "good"


def test_a_result_of_one_class_is_judged_by_what_is_left_for_the_others() -> None:
    rules = Rules(margin=0.5)
    assert rules.decide([Prediction("good", 0, 0.8)]).label == "good"
    assert rules.decide([Prediction("good", 0, 0.7)]).label == UNKNOWN


def test_a_misspelled_label_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no label") as caught:
        Decider(Rules(thresholds={"scratsch": 0.5}), LABELS)
    assert "'scratch'" in caught.value.remedy


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), True])
def test_impossible_thresholds_are_refused(value: float) -> None:
    with pytest.raises(UsageError):
        Rules(threshold=value)


def test_smoothing_averages_the_frames_of_a_video_and_keeps_the_frames_own_predictions() -> None:
    decider = Decider(Rules(threshold=0.5), LABELS, smoothing=3)
    steady = [record(0.9, 0.1, 0.0, index=number, seconds=number / 10) for number in range(3)]
    for one in steady:
        assert decided(decider, one).label == "good"
    flicker = decider(record(0.1, 0.9, 0.0, index=3, seconds=0.3)).result
    assert flicker.predictions[0].label == "scratch"
    assert flicker.decision.label == "good"
    assert flicker.decision.score == pytest.approx((0.9 + 0.9 + 0.1) / 3)


def test_sources_are_smoothed_apart_and_a_pause_begins_anew() -> None:
    decider = Decider(Rules(), LABELS, smoothing=5)
    for number in range(4):
        decided(decider, record(0.9, 0.1, 0.0, index=number, seconds=number / 10))
    assert decided(decider, record(0.1, 0.9, 0.0, index=1, source="line 2", seconds=0.1)).label == "scratch"
    assert decided(decider, record(0.1, 0.9, 0.0, index=5, seconds=9.0)).label == "scratch"


def test_pictures_of_a_folder_stand_for_themselves() -> None:
    decider = Decider(Rules(), LABELS, smoothing=5)
    assert decided(decider, record(0.9, 0.1, 0.0)).label == "good"
    assert decided(decider, record(0.4, 0.6, 0.0)).label == "scratch"


def test_failures_and_other_results_pass_as_they_are() -> None:
    decider = Decider(Rules(), LABELS)
    failure = Record(None, None, None, Failure("a.jpg", 0, "broken"), None, "a.tflite", "litert/cpu")
    assert decider(failure) is failure


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_a_decision_names_the_best_class_or_none(scores: list[float], threshold: float, margin: float) -> None:
    found = decided(Decider(Rules(threshold, {}, margin), LABELS), record(*scores))
    best, second = sorted(scores, reverse=True)[:2]
    if best >= threshold and best - second >= margin:
        assert found.class_id is not None
        assert scores[found.class_id] == best
        assert not found.reason
    else:
        assert (found.class_id, found.label) == (None, UNKNOWN)
        assert found.reason
