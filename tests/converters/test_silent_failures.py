"""Where other routes write a broken file without a word: converted rightly here, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orilla_converters.worker import call

REFUSED = {
    "hard_16x8 tflite:16x8,calibration=8": "no 16x8 form of",
    "small_dynamic tflite:dynamic": "no layer has the 1,024 weights",
}


@pytest.fixture(scope="module")
def answers() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        return {
            "converted": call("failure_jobs:convert_all", {}, what="converted"),
            "said": call("failure_jobs:refused_files", {}, what="said"),
        }


def test_what_is_converted_computes_what_keras_does(answers: Any) -> None:
    found = answers["converted"]
    assert len(found) >= 39
    for name, one in found.items():
        if "refused" in one:
            assert REFUSED.get(name) is not None, (name, one)
            assert REFUSED[name] in one["refused"]
            continue
        assert one["finite"], name
        assert one["inputs"] == ["image"], name
        assert one["error"] < (1e-3 if "float32" in name else 0.35), (name, one)
        assert one["distinct"] > 8, name


def test_a_thousand_near_equal_classes_are_no_constant(answers: Any) -> None:
    assert answers["converted"]["many_classes tflite:int8,calibration=8"]["distinct"] > 200


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("int8 that is float", "quantized nothing"),
        ("no optimizations", "quantized nothing"),
        ("float16 that is float", "no weight is in 16 bits"),
        ("dynamic that is float", "1,024 weights"),
        ("flex", "Flex"),
        ("variables", "VAR_HANDLE"),
    ],
)
def test_a_file_of_another_kind_is_refused(name: str, word: str, answers: Any) -> None:
    assert word in answers["said"][name]
