"""Every recipe beside the six of a plain conversion: written, what it says it is, and close to Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from orilla_converters.calibration_feed import normalized
from orilla_converters.conversion import convert
from orilla_converters.recipe import MEANINGS, Recipe, parse_recipe
from orilla_converters.source import Normalization
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_converters.tflite_file import contents
from orilla_converters.verify import run_all
from orilla_converters.worker import Workshop
from orilla_runtime.bundle.golden import self_test
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled.reading import read_labelled
from orilla_runtime.model import load
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.sources.picture import read_picture
from tests.converters.conftest import LABELS, Bench

WRITTEN = (
    "tflite:dynamic",
    "tflite:16x8,calibration=40",
    "tflite:mixed,calibration=40,float_layers=conv2d",
    "tflite:int8,calibration=40,io=integer",
    "tflite:int8,calibration=40,io=float",
    "tflite:float32,batch=dynamic",
    "tflite:int8,calibration=40,batch=dynamic",
    "onnx:mixed,calibration=40,float_layers=conv2d+depthwise_conv2d",
    "onnx:int8,calibration=40,batch=dynamic",
    "onnx:int8,calibration=40,io=float",
    "onnx:float16,batch=dynamic",
)
REFUSED = {
    "tflite:mixed,calibration=40,float_layers=nowhere": "no layer 'nowhere'",
    "onnx:mixed,calibration=40,float_layers=batch_normalization": "no operator of its own",
}
FRONT = Normalization(1 / 128, -127 / 128)


@pytest.fixture(scope="module")
def sample(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> TensorFile:
    data, preprocess = read_labelled(bench.digits), Preprocess((16, 16))
    pictures = [preprocess(read_picture(data.full_path(index))) for index in range(0, 600, 15)]
    return write_tensors(tmp_path_factory.mktemp("sample") / "c.u8", pictures, (16, 16, 3))


@pytest.fixture(scope="module")
def made(bench: Bench, sample: TensorFile, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """All of them, by one worker."""
    folder = tmp_path_factory.mktemp("recipes")
    parameters = {
        "model": str(bench.model),
        "raw": True,
        "calibration": sample.to_json(),
        "labels": list(LABELS),
        "channels": "rgb",
        "recipes": [*WRITTEN, *REFUSED],
        "tensors": sample.to_json(),
    }
    with pytest.MonkeyPatch.context() as patch, Workshop() as workshop:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        values = workshop.run("jobs_for_tests:recipes", "recipes", parameters)
        for number, (spelling, value) in enumerate(values.items()):
            if "path" in value:
                kept = folder / f"{number}{Path(value['path']).suffix}"
                kept.write_bytes(Path(value["path"]).read_bytes())
                values[spelling] = {"path": str(kept)}
        reference = workshop.run("reference", "Keras", parameters)
        values["keras"] = {"scores": np.load(reference["path"])}
    return values


def data_of(made: Mapping[str, Mapping[str, Any]], start: str) -> bytes:
    spelling = next(name for name in made if name.startswith(start))
    return Path(made[spelling]["path"]).read_bytes()


@pytest.mark.parametrize("spelling", WRITTEN)
def test_tensors_are_as_the_recipe_says_and_scores_as_keras_says(
    spelling: str, made: Mapping[str, Mapping[str, Any]], sample: TensorFile
) -> None:
    recipe = parse_recipe(spelling)
    assert "path" in made[spelling], made[spelling]
    session = engine_for(recipe.format).load(Path(made[spelling]["path"]).read_bytes(), EngineOptions())
    try:
        (taken,), (given,) = session.inputs, session.outputs
        assert taken.dtype == ("float32" if recipe.io == "float" else "uint8")
        assert given.dtype == ("uint8" if recipe.io == "integer" else "float32")
        assert taken.shape == (None if recipe.batch == "dynamic" else 1, 16, 16, 3)
        found = run_all(session, sample.open(), FRONT)
        np.testing.assert_allclose(found, made["keras"]["scores"], atol=0.12)
        assert (found.argmax(1) == made["keras"]["scores"].argmax(1)).mean() >= 0.95
        if recipe.batch == "dynamic":
            # The int8 kernels of a batch may round otherwise.
            np.testing.assert_allclose(session.run(np.array(sample.open()))[0], found, atol=5e-3)
    finally:
        session.close()


@pytest.mark.parametrize("spelling", REFUSED)
def test_layers_that_are_not_there_are_named(spelling: str, made: Mapping[str, Mapping[str, Any]]) -> None:
    assert REFUSED[spelling] in made[spelling]["refused"]


def test_mixed_has_float_where_it_was_told_and_nowhere_else(made: Mapping[str, Mapping[str, Any]]) -> None:
    assert contents(data_of(made, "tflite:mixed")).float_operators == ("CONV_2D", "FULLY_CONNECTED", "SOFTMAX")
    graph = onnx.load_from_string(data_of(made, "onnx:mixed")).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    floats = [
        node.name for node in graph.node if node.op_type == "Conv" and makers.get(node.input[1]) != "DequantizeLinear"
    ]
    assert len(floats) == 2
    assert any("depthwise_conv2d" in name for name in floats)


def test_no_float_is_left_where_none_should_be(made: Mapping[str, Mapping[str, Any]]) -> None:
    assert contents(data_of(made, "tflite:int8,calibration=40,io=integer")).float_operators == ()
    assert contents(data_of(made, "tflite:16x8")).float_operators == ("SOFTMAX",)


def test_a_bundle_that_takes_normalized_floats(bench: Bench, tmp_path: Path) -> None:
    """`Preprocess` carries the scale; pictures give the same as with bytes."""
    recipes = [parse_recipe("tflite:float32,io=float")]
    result = convert(bench.model, data=bench.digits, output=tmp_path / "f.orilla", recipes=recipes)
    with open_bundle(result.path) as bundle:
        preprocess = bundle.manifest.preprocess
        assert (preprocess.dtype, preprocess.scale, preprocess.offset) == ("float32", (1 / 128,), (-127 / 128,))
        assert bundle.manifest.artifacts[0].recipe == "tflite:float32,io=float"
        checks = self_test(bundle, lambda one, data: engine_for(one.format).load(data, EngineOptions()))
        assert all(check.passed for check in checks)
        assert "CAST" not in contents(bundle.read("artifacts/float32-float.tflite")).operators
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    with load(result.path) as ours:
        scores = ours.scores(normalized(picture[np.newaxis, :, :, ::-1], FRONT))
        assert ours(picture).top.score == pytest.approx(float(scores.max()), abs=1e-5)


@pytest.mark.parametrize("key", MEANINGS)
def test_a_recipe_is_read_back_as_it_was_spelled(key: tuple[str, str]) -> None:
    for io in MEANINGS[key].ios:
        for batch in ("1", "dynamic"):
            layers = ("stem", "block/conv_1") if key[1] == "mixed" else ()
            recipe = Recipe(*key, calibration=100, io=io, batch=batch, float_layers=layers)
            assert parse_recipe(str(recipe)) == recipe


@pytest.mark.parametrize(
    ("spelling", "word"),
    [
        ("tflite", "precision"),
        ("gguf:int8", "format"),
        ("onnx:dynamic", "onnx has no precision"),
        ("onnx:int8,io=integer", "io=integer"),
        ("tflite:float32,io=integer", "io=integer"),
        ("tflite:int8,io=half", "half"),
        ("tflite:int8,batch=7", "batch"),
        ("tflite:int8,calibration=many", "knob"),
        ("tflite:int8,calibration=0", "0 pictures"),
        ("tflite:mixed", "float_layers"),
        ("tflite:int8,float_layers=stem", "float_layers"),
        ("tflite:mixed,float_layers=a++b", "layer names"),
        ("tflite:int8,", "knob"),
        ("tflite:int8,calibration=5,calibration=6", "twice"),
        ("tflite:float32,calibration=5", "not calibrated"),
    ],
)
def test_an_impossible_recipe_is_refused(spelling: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        parse_recipe(spelling)


def test_a_recipe_that_says_no_number_takes_the_one_given() -> None:
    assert parse_recipe("onnx:int8", 40).calibration == 40
    assert parse_recipe("onnx:int8,calibration=7", 40).calibration == 7
    assert str(parse_recipe("tflite:float32", 40)) == "tflite:float32"


def test_bytes_and_floats_do_not_share_a_bundle(bench: Bench, tmp_path: Path) -> None:
    recipes = [parse_recipe(spelling) for spelling in ("tflite:float32,io=float", "tflite:int8")]
    with pytest.raises(UsageError, match="io=float"):
        convert(bench.model, data=bench.digits, output=tmp_path / "a.orilla", recipes=recipes)
