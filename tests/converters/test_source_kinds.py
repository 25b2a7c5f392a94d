"""Every kind of Keras model is opened as it is, or refused with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orilla_converters.origin import read_origin
from orilla_converters.source import Description
from orilla_converters.worker import call
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import ModelError, UsageError
from tests.converters.conftest import Bench

NOTHING: dict[str, Any] = dict.fromkeys(("labels", "scale", "offset", "channels", "fit", "crop_fraction"))


@pytest.fixture(scope="module")
def answers(bench: Bench, shared_data: Path) -> Any:
    code = str(bench.folder / "lambda.keras")
    models = shared_data / "models"
    cases = {
        "refused": {"model": code},
        "trusted": {"model": code, "trusted": True},
        "resnet": {"model": str(models / "pretrainedResnet.h5")},
        "keras 2 depthwise": {"model": str(models / "vww_96.h5")},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        return call("source_jobs:everything", {"cases": cases}, what="sources")


def test_files_folders_and_models_in_memory_are_the_model(answers: Any) -> None:
    found = answers["kinds"]
    for name, kind in found.items():
        assert kind["whole"] < 1e-5, name
        assert kind["core"] < 1e-5, name
        assert kind["head"] == "probabilities", name
        assert kind["same_weights"], name
        # A rescaling in front is the input's scale and zero point, whether a layer or the beginning of a graph.
        assert kind["front"] == ([1 / 64, 64] if name == "live_lambda" else [1 / 128, 127]), name
    assert {name: kind["suffix"] for name, kind in found.items()} == {
        "h5": ".h5",
        "keras_2": ".h5",
        "augmented": ".keras",
        "ends_in_a_model": ".keras",
        "saved_model": "",
        "live": ".keras",
        "live_subclassed": "",
        "live_lambda": "",
    }


def test_code_in_a_file_runs_only_where_it_is_trusted(answers: Any) -> None:
    found = answers["opened"]
    assert "Lambda layer, which is code" in found["refused"]["refused"]
    assert "--unsafe" in found["refused"]["refused"]
    assert found["trusted"] == {"shape": [8, 8, 3], "classes": 3}
    assert found["resnet"] == {"shape": [32, 32, 3], "classes": 10}
    assert found["keras 2 depthwise"] == {"shape": [96, 96, 3], "classes": 2}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("open", "leaves its height or width open"),
        ("no_signature", "has no signature to serve"),
        ("half", "16 bits"),
        ("weights.h5", "weights and no model"),
        ("text.h5", "cannot be opened"),
        ("broken", "cannot be opened as a SavedModel"),
        ("code.h5", "Lambda layer, which is code"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(name: str, word: str, answers: Any) -> None:
    text = answers["refused"][name]["refused"]
    assert word in text
    assert name in text
    assert len(text.splitlines()) <= 2


def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    for path in (tmp_path, tmp_path / "a.onnx"):
        with pytest.raises(ModelError, match="the folder of a SavedModel"):
            read_origin(path, **NOTHING)


def test_colour_options_fit_the_model(bench: Bench) -> None:
    colour, grey = (Description((8, 8, depth), 3, "logits", 1.0, 0.0) for depth in (3, 1))
    for channels, model, word in (("grey", colour, "in colour"), ("bgr", grey, "grey pictures")):
        origin = read_origin(bench.bare, **NOTHING | {"channels": channels})
        with pytest.raises(UsageError, match=word):
            origin.preprocess_for(model)
    assert read_origin(bench.bare, **NOTHING | {"channels": "grey"}).preprocess_for(grey).channels == "grey"


LIVE = """
import sys
from pathlib import Path
import keras, numpy as np
import orilla

class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2.0

model = keras.models.load_model(sys.argv[1], compile=False)
image = keras.Input((16, 16, 3))
model = keras.Model(image, model(Doubled()(image)))
before = [np.array(weight) for weight in model.get_weights()]
result = orilla.convert(
    model, data=sys.argv[2], output=sys.argv[3], recipes=["tflite:int8,calibration=60", "onnx:float32"], scale=0.5,
    offset=0.0, labels=[f"digit {n}" for n in range(10)],
)
assert result.calibrated_on == 60
assert all(map(np.array_equal, before, model.get_weights()))
print(min(artifact.metrics.accuracy.top1 for artifact in result.artifacts))
"""


def test_a_model_in_memory_with_its_own_code_becomes_a_bundle(bench: Bench, tmp_path: Path) -> None:
    arguments = [str(bench.bare), str(bench.digits), str(tmp_path / "live.orilla")]
    done = subprocess.run([sys.executable, "-c", LIVE, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) > 0.9
    with open_bundle(tmp_path / "live.orilla") as bundle:
        assert [artifact.recipe for artifact in bundle.manifest.artifacts] == [
            "tflite:int8,calibration=60",
            "onnx:float32",
        ]
