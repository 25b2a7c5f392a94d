"""Models that other people made: each is classified with, refused for the stated reason, or run as it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from orilla_runtime.errors import ModelError
from orilla_runtime.model import Model, load

SHORT = {"fit": "crop", "crop_fraction": 0.875}
RAW_PIXELS = {"mean": (0,), "std": (1,)}
SIGNED = {"mean": (127.5,), "std": (127.5,)}
TEN = {"labels": [f"class {number}" for number in range(10)]}
PERSON = {"labels": ["no person", "person"]}
IMAGENET = {"labels": "imagenet_labels.txt"}
WITHOUT_BACKGROUND = "imagenet_labels.txt without its first line"
IMAGENET_1000 = {"labels": WITHOUT_BACKGROUND}
CAFFE: dict[str, Any] = {**IMAGENET_1000, "mean": (104, 117, 123), "std": (1,), "channels": "bgr"}

# What a caller has to say of each, and what a classifier then has inside.
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "mobilenet_v1_0.25_224_1_metadata_1.tflite": {},
    "mobilenet_v1_0.25_224_quant.tflite": {},
    "mobilenet_v1_0.25_224_quant_without_subgraph_metadata.tflite": {},
    "mobilenet_v2_1.0_224_quant.tflite": IMAGENET,
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": {},
    "mobilenet_v3_small_1.0_224.uint8.tflite": {**IMAGENET_1000, "label_offset": 1},
    "automl_labeler_model.tflite": {},
    "pretrainedResnet.tflite": {**TEN, **RAW_PIXELS},
    "pretrainedResnet_quant.tflite": TEN,
    "vww_96_float.tflite": {**PERSON, "mean": (0,), "std": (255,)},
    "vww_96_int8.tflite": PERSON,
    "SqueezeNet_fp16.onnx": CAFFE,
    "squeezenet_int8_qdq.onnx": CAFFE,
    "mobilenet_v1_0.25_224_nhwc.onnx": {**IMAGENET, **SIGNED},
    "mobilenet_v1_0.25_224_quant_qdq.onnx": IMAGENET,
    "mnist.onnx": {**TEN, **RAW_PIXELS},
    "ImageClassifier_cifar10.onnx": {**TEN, **SIGNED},
}
# The tensor that each takes for a picture of its size, written out by hand.
TENSORS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mobilenet_v1_0.25_224_1_metadata_1.tflite": lambda rgb: (rgb - 127.5) / 127.5,
    "mobilenet_v1_0.25_224_nhwc.onnx": lambda rgb: (rgb - 127.5) / 127.5,
    "pretrainedResnet_quant.tflite": lambda rgb: rgb - 128,
    "vww_96_float.tflite": lambda rgb: rgb / 255,
    "vww_96_int8.tflite": lambda rgb: rgb - 128,
    "SqueezeNet_fp16.onnx": lambda rgb: (rgb[..., ::-1] - [104, 117, 123]).transpose(0, 3, 1, 2),
    "squeezenet_int8_qdq.onnx": lambda rgb: (rgb[..., ::-1] - [104, 117, 123]).transpose(0, 3, 1, 2),
    "mnist.onnx": lambda rgb: rgb.transpose(0, 3, 1, 2),
    "ImageClassifier_cifar10.onnx": lambda rgb: ((rgb - 127.5) / 127.5).transpose(0, 3, 1, 2),
}
LOGITS = {"mobilenet_v2_1.0_224_quant.tflite", "mnist.onnx", "ImageClassifier_cifar10.onnx"}

# A part of the reason that each is refused with.
REFUSED = {
    "pretrainedResnet.h5": "is a Keras model",
    "vww_96.h5": "is a Keras model",
    "mobilenet_v2_035_96_embedder_with_metadata.tflite": "does not say its class names",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite": "it has 4 outputs",
    "deeplabv3_mnv2_dm05_pascal_quant.tflite": "its output ArgMax int64[1x513x513] holds no scores",
    "keras_lstm_mnist_ptq.tflite": "uint8[1x28x28] is no picture",
    "kws_ref_model.tflite": "does not hold pixels",
    "test_model_nl_classifier_with_regex_tokenizer.tflite": "int32[1x256] is no picture",
    "split_concat.tflite": "it has 3 inputs",
    "3in3out_model_swaps_input_2_and_0.tflite": "it has 3 inputs",
    "test_two_signature_keys_model.tflite": "2 signatures (model_one, model_two)",
    "mobilenet_v1_0.25_128_quant_edgetpu.tflite": "Edge TPU",
    "whitespace_tokenizer_flex_delegate.tflite": "FlexCumsum",
    "model_invoking_error.tflite": "fake-op-double",
    "version-RFB-320.onnx": "it has 2 outputs",
    "pytorch_superresolution_with_pre_post_processing_op18.onnx": "domain com.microsoft.extensions",
    "super_resolution.onnx": "names no operator set",
}
NO_ENGINE = {
    "pretrainedResnet.h5",
    "vww_96.h5",
    "test_two_signature_keys_model.tflite",
    "mobilenet_v1_0.25_128_quant_edgetpu.tflite",
    "whitespace_tokenizer_flex_delegate.tflite",
    "model_invoking_error.tflite",
    "pytorch_superresolution_with_pre_post_processing_op18.onnx",
    "super_resolution.onnx",
}


@pytest.fixture(scope="module")
def models(shared_data: Path) -> Path:
    return shared_data / "models"


@pytest.fixture(scope="module")
def reference(shared_data: Path, unzipped: Callable[[str], Path]) -> tuple[list[dict[str, str]], list[Any]]:
    """Every twentieth row of the reference with its photo."""
    with (shared_data / "models" / "reference_top1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::20]
    folder = unzipped("imagenet_samples_256.zip")
    return rows, [cv2.imread(str(folder / row["file"])) for row in rows]


def opened(models: Path, name: str, **options: Any) -> Model:
    said = dict(CLASSIFIERS.get(name, {}))
    if said.get("labels") == "imagenet_labels.txt":
        said["labels"] = models / "imagenet_labels.txt"
    elif said.get("labels") == WITHOUT_BACKGROUND:
        said["labels"] = (models / "imagenet_labels.txt").read_text("utf-8").splitlines()[1:]
    return load(models / name, **said, **options)


def bare(path: Path, *tensors: NDArray[Any]) -> list[NDArray[Any]]:
    """The engine's own answer, without any of Orilla."""
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        return list(session.run(None, dict(zip([one.name for one in session.get_inputs()], tensors, strict=True))))
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    for one, tensor in zip(interpreter.get_input_details(), tensors, strict=True):
        interpreter.set_tensor(one["index"], tensor)
    interpreter.invoke()
    return [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]


def test_every_model_is_spoken_of(models: Path) -> None:
    names = {entry["file"] for entry in json.loads((models / "models.json").read_text("utf-8"))["models"]}
    assert names == CLASSIFIERS.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifies_as_the_engine_itself(models: Path, reference: tuple[Any, list[Any]], name: str) -> None:
    entry = next(e for e in json.loads((models / "models.json").read_text("utf-8"))["models"] if e["file"] == name)
    with opened(models, name, top=3) as model:
        assert len(model.labels) in {entry["classes"], entry["classes"] - entry["label_offset"]}
        assert model.preprocess is not None
        height, width = model.preprocess.size
        for photo in reference[1][:5]:
            image = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
            result = model(image)
            tensor = tensor_by_hand(image, name, model)
            (output,) = bare(models / name, tensor)
            expected = scores_by_hand(output, name, model)
            np.testing.assert_allclose(model.scores(tensor), expected, atol=2e-5)
            assert result.top.class_id == int(np.argmax(expected))
            assert result.top.label == model.labels[result.top.class_id]
            assert result.top.score == pytest.approx(expected.max(), abs=2e-5)


def scores_by_hand(output: NDArray[Any], name: str, model: Model) -> NDArray[np.float64]:
    """Probabilities of the classes that have a label, from what the bare engine gave."""
    values = output.reshape(-1).astype(np.float64)[output.size - len(model.labels) :]
    if output.dtype.kind in "ui":
        scale, zero_point = (0.09889253973960876, 58) if name in LOGITS else (1 / 256, np.iinfo(output.dtype).min)
        values = (values - zero_point) * scale
    if name in LOGITS:
        values = np.exp(values - values.max())
        values /= values.sum()
    return values


def tensor_by_hand(image: NDArray[np.uint8], name: str, model: Model) -> NDArray[Any]:
    assert model.preprocess is not None
    grey = model.preprocess.depth == 1
    pixels = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None] if grey else image[..., ::-1]
    values = TENSORS.get(name, lambda rgb: rgb)(pixels[None].astype(np.float64))
    return np.ascontiguousarray(values.astype(model.session.inputs[0].dtype))


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_0.25_224_1_metadata_1.tflite",
        "mobilenet_v1_0.25_224_quant.tflite",
        "mobilenet_v2_1.0_224_quant.tflite",
        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "mobilenet_v3_small_1.0_224.uint8.tflite",
        "SqueezeNet_fp16.onnx",
        "squeezenet_int8_qdq.onnx",
        "mobilenet_v1_0.25_224_nhwc.onnx",
        "mobilenet_v1_0.25_224_quant_qdq.onnx",
    ],
)
def test_top1_is_the_reference(models: Path, reference: tuple[list[dict[str, str]], list[Any]], name: str) -> None:
    rows, photos = reference
    with opened(models, name, top=1, **SHORT) as model:
        background = 1 if len(model.labels) == 1001 else 0
        found = [model(photo).top.class_id - background for photo in photos]
    assert found == [int(row[name]) for row in rows]


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_the_reason(models: Path, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(models / name)
    assert name in caught.value.message
    assert REFUSED[name] in caught.value.message
    assert caught.value.remedy
    assert "\n" not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - NO_ENGINE))
def test_raw_gives_what_the_engine_gives(models: Path, name: str) -> None:
    random = np.random.default_rng(5)
    with load(models / name, task="raw") as model:
        tensors = []
        for spec in model.session.inputs:
            shape = [1 if side is None else side for side in spec.shape]
            if spec.dtype == "float32":
                tensors.append(random.normal(size=shape).astype(np.float32))
            else:
                tensors.append(random.integers(0, 100, shape).astype(spec.dtype))
        found = model(*tensors).tensors
        assert tuple(found) == tuple(spec.name for spec in model.session.outputs)
        assert model.labels == ()
    if name == "3in3out_model_swaps_input_2_and_0.tflite":
        # The signature's order, first, second, third; the bare engine lists the third first.
        assert [array.tolist() for array in found.values()] == [array.tolist() for array in tensors]
        return
    expected = bare(models / name, *tensors)
    assert len(expected) == len(found)
    for one, other in zip(expected, found.values(), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", sorted(NO_ENGINE))
def test_raw_cannot_help_where_no_engine_opens_it(models: Path, name: str) -> None:
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load(models / name, task="raw")


def test_detector_says_its_shapes_after_the_first_run(models: Path) -> None:
    with load(models / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite", task="raw") as model:
        assert {spec.shape for spec in model.session.outputs} == {()}
        model(np.zeros((1, 300, 300, 3), np.uint8))
        assert [spec.shape for spec in model.session.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]


@pytest.mark.parametrize("signature", ["model_one", "model_two"])
def test_a_signature_is_chosen_by_name(models: Path, signature: str) -> None:
    path = models / "test_two_signature_keys_model.tflite"
    tensors = [np.full((1, side), side, np.float32) for side in (1, 2, 3)]
    runner = Interpreter(model_path=str(path)).get_signature_runner(signature)
    names = ("first_input", "second_input", "third_input")
    expected = runner(**dict(zip(names, tensors, strict=True)))
    with load(path, task="raw", signature=signature) as model:
        assert tuple(spec.name for spec in model.session.inputs) == names
        found = model(*tensors).tensors
    assert {name: array.tolist() for name, array in expected.items()} == {
        name: array.tolist() for name, array in found.items()
    }


def test_an_unknown_signature_is_refused(models: Path) -> None:
    with pytest.raises(ModelError, match="no signature 'three'"):
        load(models / "test_two_signature_keys_model.tflite", task="raw", signature="three")
