"""Models are taken apart without changing what they compute, or refused with the reason."""

from __future__ import annotations

import pytest

from orilla_converters.worker import call
from tests.converters.conftest import Bench

REASONS = {
    "lambda": ("ConversionError", "Lambda layer"),
    "open_size": ("ConversionError", "height or width open"),
    "five_channels": ("ConversionError", "no picture"),
    "sigmoid": ("ConversionError", "ends in sigmoid"),
    "no_scores": ("ConversionError", "not the scores"),
    "no_rescaling": ("UsageError", "--scale and --offset"),
}


def test_what_cannot_be_converted_is_refused_with_its_reason(bench: Bench, worker_path: None) -> None:
    models = [str(bench.folder / f"{name}.keras") for name in REASONS]
    found = call("jobs_for_tests:refusals", {"models": models}, what="refusals")
    assert set(found) == set(REASONS)
    for name, (kind, text) in REASONS.items():
        assert found[name][0] == kind, found[name]
        assert text in found[name][1]
        assert f"{name}.keras" in found[name][1]
        assert len(found[name][1].splitlines()) <= 2


def test_the_parts_compute_what_the_whole_does(worker_path: None) -> None:
    found = call("jobs_for_tests:parts", {}, what="parts")
    for name, part in found.items():
        assert part["error"] < (5e-3 if name == "mixed_float16" else 1e-5), name
        assert part["head"] == ("logits" if name in {"logits", "far_offset", "per_channel"} else "probabilities")
    assert (found["softmax_layer"]["scale"], found["softmax_layer"]["zero_point"]) == (1 / 128, 127)
    assert found["softmax_dense"]["zero_point"] == 0
    # What a quantized input cannot say stays an operator inside: the input is then the raw pixel.
    for name in ("far_offset", "per_channel"):
        assert (found[name]["scale"], found[name]["zero_point"]) == (1.0, 0)


def test_graphs_that_other_routes_ruin(worker_path: None) -> None:
    found = call("jobs_for_tests:hard_graphs", {}, what="graphs")
    for name, graph in found.items():
        assert graph["error"] < 1e-5, name
        assert graph["inputs"] == ["image"]
        assert graph["domains"] == [""]
        assert graph["opset"] == 18
    assert "Erf" in found["gelu"]["operators"]
    assert "Erfc" not in found["gelu"]["operators"]
    assert {"Conv"} <= set(found["grouped"]["operators"])
    assert not any("Random" in operator for operator in found["augmented"]["operators"])
    assert not {"Mul", "Add"} & set(found["depthwise_norm"]["operators"])


@pytest.mark.parametrize("name", ["text.keras", "gone.keras"])
def test_no_keras_file(name: str, bench: Bench) -> None:
    from orilla_converters.keras_card import read_card
    from orilla_runtime.errors import DataError

    (bench.folder / "text.keras").write_text("not a model")
    with pytest.raises(DataError, match=name):
        read_card(bench.folder / name)
