"""Where other routes write a broken file without a word: converted rightly here, or refused with the reason.

Measured under TensorFlow 2.21, Keras 3.15 and tf2onnx 1.17; each line names what holds it here.

TFLite:
1 variables that nothing sets (NaN)      `variables`
2 Flex operators                         `flex`
3 no representative pictures             `int8 that is float`; without pictures there is no conversion (test_command)
4 NaN among them                         pictures are bytes, so only a NaN scale makes one: refused
5 no optimizations                       `no optimizations`
6 wrong preprocessing while calibrating  the judge reads the input's scale and zero point
7 all-zero pictures                      the input still spans 0 to 255
8 operators that stay in float           LayerNormalization is int8 (`attention`); a softmax that stays is named
9 an input of bytes in the model         `bytes_in`
10 softmax over 1,000 near-equal classes `many_classes`
11 dynamic range on small layers         `small_dynamic`
12 an open batch                         test_recipes, batch=dynamic
13 open height and width                 `open_*`

ONNX:
1 extra inputs                           `normalization`, and every other: the one input is `image`
2 augmentation left on                   `augmentation`
3 GELU                                   `gelu`, `attention`
4 grouped convolutions                   `grouped`
5 no Sequential, no subclassed models    all models here are Sequential; subclassed: test_source_kinds
6 names that change                      test_conversion, the same bytes each time
7 transposes around HardSwish            `hard_swish`
8 BatchNormalization left unfolded       test_source, hard graphs
9 order of several outputs               test_raw
10 bilinear upsampling at open sizes     `open_upsampled`; at a fixed size `upsampled`
11 dilation at open sizes                `open_dilated`; at a fixed size `dilated`
14 zeros padded in front of MaxPool       `padded_pool`
12, 13 options of tf2onnx                `optimizers` and `large_model` are not given: every conversion is without them
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orilla_converters.origin import read_origin
from orilla_converters.worker import call
from orilla_runtime.errors import UsageError
from tests.converters.conftest import Bench

REFUSED = {
    "hard_16x8 tflite:16x8,calibration=8": "no 16x8 form of HARD_SWISH.",
    "several_16x8 tflite:16x8,calibration=8": "no 16x8 form of ELU, HARD_SWISH.",
    "layer_norm_16x8 tflite:16x8,calibration=8": "no 16x8 form of SQUARED_DIFFERENCE.",
    "small_dynamic tflite:dynamic": "no layer has the 1,024 weights",
}


@pytest.fixture(scope="module")
def answers() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        return call("failure_jobs:everything", {}, what="failures")


def test_what_is_converted_computes_what_keras_does(answers: Any) -> None:
    found = answers["convert_all"]
    assert len(found) >= 55
    for name, one in found.items():
        if "refused" in one:
            assert REFUSED.get(name) is not None, (name, one)
            assert REFUSED[name] in one["refused"]
            assert len(one["refused"].splitlines()) <= 2
            continue
        assert one["finite"], name
        assert one["inputs"] == ["image"], name
        assert one["error"] < (1e-3 if "float32" in name else 0.35), (name, one)
        assert one["distinct"] > 8, name


def test_a_rescaling_in_a_saved_model_is_the_scale_of_its_input(answers: Any) -> None:
    found = answers["convert_all"]["exported_attention tflite:int8,calibration=8"]
    assert found["step"] == pytest.approx(1 / 255, rel=1e-5)


def test_a_thousand_near_equal_classes_are_no_constant(answers: Any) -> None:
    assert answers["convert_all"]["many_classes tflite:int8,calibration=8"]["distinct"] > 200


def test_hard_swish_leaves_two_transposes(answers: Any) -> None:
    assert answers["convert_all"]["hard_swish onnx:float32"]["operators"].count("Transpose") <= 2


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
    assert word in answers["refused_files"][name]


def test_a_softmax_in_the_middle_that_stays_in_float_is_named(answers: Any) -> None:
    # Beside it the layer of the logits, which gives them in float in every finished file.
    assert "stayed in float: FULLY_CONNECTED, SOFTMAX." in answers["calibrated"]["softmax"]


def test_black_pictures_alone_do_not_narrow_the_input(answers: Any) -> None:
    found = answers["calibrated"]
    assert found["scale"] == pytest.approx(1 / 255, rel=1e-5)
    assert found["zero_point"] == 0


def test_a_file_calibrated_on_other_pixels_is_caught_by_its_input(answers: Any) -> None:
    (said,) = answers["calibrated"]["judged"]
    assert "its calibration pictures were wrong" in said
    assert "not 0.0078125 and 127" in said


@pytest.mark.parametrize(("scale", "offset"), [(float("nan"), 0.0), (1.0, float("inf")), (0.0, 0.5)])
def test_a_normalization_that_gives_no_numbers_is_refused(scale: float, offset: float, bench: Bench) -> None:
    nothing = dict.fromkeys(("channels", "fit", "crop_fraction"))
    with pytest.raises(UsageError, match="make no value of a pixel"):
        read_origin(bench.bare, labels=None, scale=scale, offset=offset, **nothing)  # type: ignore[arg-type]


def test_negations_are_taken_out_exactly(answers: Any) -> None:
    found = answers["negations"]
    for name, one in found.items():
        assert one["difference"] == 0.0, name
        assert one["negations"] == (1 if name == "gelu" else 0), name
    # Where a sum takes it up no operator is left of it.
    assert "Sub" in found["sum"]["operators"]
    assert "Mul" not in found["sum"]["operators"]
    assert "Mul" in found["output"]["operators"]


@pytest.mark.parametrize("name", ["open", "open_upsampled", "open_dilated"])
def test_open_sizes_are_refused(name: str, answers: Any) -> None:
    said = answers["open_sizes"][name]
    assert f"{name}.keras leaves its height or width open" in said
    assert len(said.splitlines()) == 2
