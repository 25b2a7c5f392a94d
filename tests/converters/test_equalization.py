"""Channels are made equal through ReLU6 as far as it clips nothing, and the function stays."""

from __future__ import annotations

import pytest

from orilla_converters.worker import call


@pytest.mark.usefixtures("worker_path")
def test_a_channel_before_relu6_is_scaled_only_where_nothing_is_clipped() -> None:
    value = call("equalization_jobs:through_relu6", {}, what="the equalization")
    assert value["pairs"] == [["pointwise", "depthwise"], ["depthwise", "last"], ["last", "logits"]]
    assert value["spread"] > 300
    assert value["spread_after"] < 30
    assert value["scaled"] == 1.0, "the clipped channel stays as it was"
    assert value["moved"] < 1e-5
