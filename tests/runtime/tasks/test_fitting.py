"""What a bare model needs to be a classifier: taken from the file, taken from the caller, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.errors import ModelError, UsageError
from orilla_runtime.formats.model_file import ModelFile, Normalization
from orilla_runtime.tasks.fitting import FitOptions, Fitted, fit_classification
from orilla_runtime.tensors import Quantization, TensorSpec

ABC = ("a", "b", "c")


def file(
    shape: tuple[int | None, ...] = (1, 8, 12, 3),
    dtype: str = "uint8",
    *,
    scale: Quantization | None = None,
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", (1, 3), "float32"),),
    inputs: int = 1,
    **known: Any,
) -> ModelFile:
    known = {"format": "tflite", "makers": ("SOFTMAX",), "labels": ABC, **known}
    image = TensorSpec("x", shape, dtype, scale)
    return ModelFile(inputs=(image,) * inputs, outputs=outputs, operators={}, **known)


def fit(model: ModelFile, **options: Any) -> Fitted:
    return fit_classification(model, FitOptions(**options), "m.tflite")


def test_a_file_that_says_everything() -> None:
    fitted = fit(file(dtype="float32", normalization=Normalization((127.5,), (127.5,))))
    assert fitted.task.labels == ABC
    assert fitted.task.output == "probabilities"
    assert fitted.preprocess.size == (8, 12)
    assert (fitted.preprocess.dtype, fitted.preprocess.layout, fitted.preprocess.fit) == ("float32", "NHWC", "stretch")
    assert fitted.preprocess.scale == pytest.approx((1 / 127.5,))
    assert fitted.preprocess.offset == pytest.approx((-1.0,))


@pytest.mark.parametrize(
    ("shape", "kind", "layout", "size", "channels"),
    [
        ((1, 8, 12, 3), "tflite", "NHWC", (8, 12), "rgb"),
        ((None, 8, 12, 1), "tflite", "NHWC", (8, 12), "grey"),
        ((1, 3, 8, 12), "onnx", "NCHW", (8, 12), "rgb"),
        ((None, 1, 28, 28), "onnx", "NCHW", (28, 28), "grey"),
        ((1, 8, 12, 3), "onnx", "NHWC", (8, 12), "rgb"),
        ((1, 3, 8, 3), "tflite", "NHWC", (3, 8), "rgb"),
        ((1, 3, 8, 3), "onnx", "NCHW", (8, 3), "rgb"),
    ],
)
def test_the_layout_is_in_the_shape(
    shape: tuple[int, ...], kind: str, layout: str, size: tuple[int, int], channels: str
) -> None:
    preprocess = fit(file(shape, format=kind)).preprocess
    assert (preprocess.layout, preprocess.size, preprocess.channels) == (layout, size, channels)


def test_integer_inputs_take_the_pixels_themselves() -> None:
    """Also where the metadata has a normalization: it is meant for callers with floats."""
    known = {"normalization": Normalization((127.5,), (127.5,))}
    for dtype, zero_point, offset in (("uint8", 128, 0.0), ("uint8", 127, 0.0), ("int8", -1, -128.0)):
        scaled = fit(file(dtype=dtype, scale=Quantization(1 / 128, zero_point), **known)).preprocess
        assert (scaled.scale, scaled.offset) == ((1.0,), (offset,))
        plain = fit(file(dtype=dtype, **known)).preprocess
        assert (plain.scale, plain.offset) == ((1.0,), (offset,))


@given(
    mean=st.floats(0, 255),
    std=st.floats(0.5, 255),
    scale=st.floats(0.001, 0.5),
    zero_point=st.integers(-128, 127),
    pixel=st.integers(0, 255),
)
def test_mean_and_std_of_the_caller_are_quantized(
    mean: float, std: float, scale: float, zero_point: int, pixel: int
) -> None:
    model = file((1, 2, 2, 1), "int8", scale=Quantization(scale, zero_point))
    preprocess = fit(model, mean=[mean], std=[std]).preprocess
    stored = int(preprocess(np.full((2, 2, 3), pixel, np.uint8))[0, 0, 0, 0])
    exact = (pixel - mean) / std / scale + zero_point
    assert abs(stored - np.clip(exact, -128, 127)) <= 0.5 + 1e-6


def test_one_mean_a_channel_in_the_order_of_the_channels() -> None:
    model = file((1, 3, 8, 12), "float16", format="onnx")
    preprocess = fit(model, mean=(104, 117, 123), std=(1,), channels="bgr").preprocess
    assert (preprocess.scale, preprocess.offset) == ((1.0, 1.0, 1.0), (-104.0, -117.0, -123.0))
    assert preprocess.channels == "bgr"


def test_float_pixels_are_never_guessed() -> None:
    for known in ({}, {"labels": None}):
        with pytest.raises(ModelError) as caught:
            fit(file(dtype="float32", **known))
        for words in ("--mean 0 --std 1", "--mean 127.5 --std 127.5", "--mean 0 --std 255", "task='raw'", "--channels"):
            assert words in caught.value.remedy
        assert ("--labels" in caught.value.remedy) == bool(known)


def test_labels_of_the_only_text_file_that_fits() -> None:
    fitting = file(labels=None, label_files={"a.txt": ABC, "vocab.txt": ("x",) * 9})
    assert fit(fitting).task.labels == ABC
    for files in ({"a.txt": ABC, "b.txt": ("d", "e", "f")}, {"a.txt": ("a", "b")}, {}):
        with pytest.raises(ModelError, match="does not say its class names") as caught:
            fit(file(labels=None, label_files=files))
        assert "--labels" in caught.value.remedy


def test_labels_of_the_caller_win(tmp_path: Path) -> None:
    path = tmp_path / "namen.txt"
    path.write_bytes("\ufeffÄpfel\r\nBirnen\r\nNüsse\r\n\r\n".encode())
    for given_labels in (path, str(path), ["Äpfel", "Birnen", "Nüsse"]):
        assert fit(file(), labels=given_labels).task.labels == ("Äpfel", "Birnen", "Nüsse")


def test_labels_that_do_not_count(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="3 outputs and there are 2 labels") as caught:
        fit(file(), labels=["a", "b"])
    assert "--label-offset 1" in caught.value.remedy
    assert fit(file(), labels=["a", "b"], label_offset=1).task.label_offset == 1
    with pytest.raises(ModelError, match="there are 3 labels") as caught:
        fit(file(), label_offset=1)
    assert "leave --label-offset out" in caught.value.remedy
    with pytest.raises(ModelError, match="there are 5 labels") as caught:
        fit(file(), labels=list("abcde"))
    assert "--label-offset" not in caught.value.remedy


@pytest.mark.parametrize("content", ["", "\n\n", "a\n\nc\n"])
def test_label_files_without_names(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"labels\.txt"):
        fit(file(), labels=path)


def test_an_empty_name_inside_is_refused() -> None:
    with pytest.raises(ModelError, match="line 2 of the labels inside is empty"):
        fit(file(labels=("a", "", "c")))


@pytest.mark.parametrize(
    "options",
    [
        {"labels": "there is no such file.txt"},
        {"labels": []},
        {"labels": ["a", "", "c"]},
        {"labels": [1, 2, 3]},
        {"mean": [1]},
        {"std": [1]},
        {"mean": [1, 2], "std": [1]},
        {"mean": [0], "std": [0]},
        {"mean": [float("nan")], "std": [1]},
        {"channels": "grey"},
        {"channels": "cmyk"},
        {"label_offset": -1},
        {"label_offset": 3},
        {"output": "scores"},
        {"fit": "squeeze"},
        {"crop_fraction": 0.0},
        {"crop_fraction": 1.5},
    ],
    ids=str,
)
def test_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        fit(file(), **options)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (file((1, 28, 28)), "no picture"),
        (file((1, 8, 12, 4)), "no picture"),
        (file((2, 8, 12, 3)), "no picture"),
        (file((1, 8, 12, 3), "int32"), "no picture"),
        (file((1, 8, 12, 3), "string"), "no picture"),
        (file((1, None, None, 3)), "is open"),
        (file(inputs=2), "2 inputs"),
        (file(outputs=()), "0 outputs"),
        (file(outputs=(TensorSpec("y", (1, 3), "float32"),) * 2), "2 outputs"),
        (file(outputs=(TensorSpec("y", (1, 3), "int64"),)), "holds no scores"),
        (file(outputs=(TensorSpec("y", (1, 3), "string"),)), "holds no scores"),
        (file(outputs=(TensorSpec("y", (1, 3), "uint8"),)), "what real numbers"),
        (file(outputs=(TensorSpec("y", (1, 4, 4, 3), "float32"),)), "one score a class"),
        (file(outputs=(TensorSpec("y", (1, 1), "float32"),)), "one score a class"),
        (file(outputs=(TensorSpec("y", (1, None), "float32"),)), "one score a class"),
        (file(outputs=(TensorSpec("y", (), "float32"),)), "one score a class"),
        (file(dtype="int8", scale=Quantization(0.58, 83)), "does not hold pixels"),
    ],
)
def test_no_image_classifier(model: ModelFile, why: str) -> None:
    with pytest.raises(ModelError) as caught:
        fit(model)
    assert caught.value.message.startswith("m.tflite: no task fits: ")
    assert why in caught.value.message
    assert "task='raw'" in caught.value.remedy


def test_a_strange_zero_point_is_believed_when_the_caller_says_so() -> None:
    assert fit(file(dtype="int8", scale=Quantization(0.58, 83)), mean=[0], std=[1]).preprocess.dtype == "int8"


@pytest.mark.parametrize("shape", [(1, 3), (None, 3), (1, 3, 1, 1), (1, 1, 1, 3)])
def test_shapes_of_scores(shape: tuple[int | None, ...]) -> None:
    task = fit(file(outputs=(TensorSpec("y", shape, "float32"),))).task
    values = np.array([0.2, 0.5, 0.3], np.float32).reshape([side or 1 for side in shape])
    assert task.decode((values,), (TensorSpec("y", shape, "float32"),)).top.class_id == 1


@pytest.mark.parametrize(
    ("maker", "inside", "said", "output"),
    [
        ("SOFTMAX", None, None, "probabilities"),
        ("LOGISTIC", None, None, "probabilities"),
        ("Softmax", None, None, "probabilities"),
        ("Sigmoid", None, None, "probabilities"),
        ("FULLY_CONNECTED", None, None, "logits"),
        ("LOG_SOFTMAX", None, None, "logits"),
        (None, None, None, "logits"),
        ("Gemm", "probabilities", None, "probabilities"),
        ("SOFTMAX", None, "logits", "logits"),
        ("Gemm", "probabilities", "logits", "logits"),
    ],
)
def test_what_the_scores_are(maker: str | None, inside: str | None, said: str | None, output: str) -> None:
    assert fit(file(makers=(maker,), output=inside), output=said).task.output == output


def test_an_impossible_normalization_inside_is_refused() -> None:
    for mean, std in (((1.0, 2.0), (1.0,)), ((0.0,), (0.0,)), ((), ()), ((float("inf"),), (1.0,))):
        with pytest.raises(ModelError, match="impossible normalization") as caught:
            fit(file(dtype="float32", normalization=Normalization(mean, std)))
        assert "--mean" in caught.value.remedy


def test_options_as_the_command_spells_them() -> None:
    assert FitOptions(labels=ABC, label_offset=0).given() == ("--labels", "--label-offset")
    assert FitOptions().given() == ()
