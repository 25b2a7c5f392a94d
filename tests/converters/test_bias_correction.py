"""Biases take back what rounded weights add on average, wherever a bias stands."""

from __future__ import annotations

import pytest

from orilla_converters.worker import call


@pytest.mark.usefixtures("worker_path")
def test_the_mean_output_stays_where_it_was() -> None:
    value = call("correction_jobs:correct", {"bare": False, "but": []}, what="the correction")
    assert value["layers"] == ["stem", "depthwise", "grouped", "pointwise", "logits"]
    assert value["corrected"] < value["plain"] / 10


@pytest.mark.usefixtures("worker_path")
def test_layers_that_stay_in_float_or_have_no_bias_stay_as_they_are() -> None:
    value = call("correction_jobs:correct", {"bare": True, "but": ["stem"]}, what="the correction")
    assert value["layers"] == ["depthwise", "logits"]
