"""Jobs for `test_raw.py`: models of several inputs and outputs, and what their opened parts and artifacts give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.errors import OrillaError

SIDE, SAMPLES = 16, 24
RECIPES = (
    "tflite:float32",
    "tflite:float16",
    "tflite:int8",
    "tflite:int8,io=integer",
    "tflite:float32,io=float",
    "tflite:mixed,float_layers=stem",
    "tflite:16x8",
    "onnx:float32",
    "onnx:int8",
    "onnx:mixed,float_layers=stem",
    "onnx:float32,batch=dynamic",
    "savedmodel:float32",
)


def _features(keras: Any, image: Any, name: str) -> Any:
    layers = keras.layers
    x = layers.Rescaling(1 / 127.5, -1.0)(image)
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name=name)(x)
    return layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, activation="relu")(x))


def pose(keras: Any) -> Any:
    """A picture and three numbers to a dict of two outputs; inputs and outputs are not in the order of their names."""
    layers = keras.layers
    view, angles = keras.Input((SIDE, SIDE, 3), name="view"), keras.Input((3,), name="angles")
    x = layers.Concatenate()([_features(keras, view, "stem"), layers.Dense(8, activation="relu")(angles)])
    kind = layers.Dense(5, activation="softmax", name="kind_scores")(x)
    return keras.Model({"view": view, "angles": angles}, {"kind": kind, "box": layers.Dense(4, name="corners")(x)})


def mask(keras: Any) -> Any:
    """One picture to a picture: a very small U-Net."""
    layers = keras.layers
    view = keras.Input((SIDE, SIDE, 3), name="view")
    first = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(view))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    x = layers.Concatenate()([layers.UpSampling2D()(x), first])
    return keras.Model(view, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x))


def twins(keras: Any) -> Any:
    """Two pictures through shared layers, a list of outputs, one of them read again inside."""
    layers = keras.layers
    left, right = keras.Input((SIDE, SIDE, 3), name="left"), keras.Input((SIDE, SIDE, 3), name="right")
    rescaled = layers.Rescaling(1 / 255)
    stem = layers.Conv2D(16, 3, activation="relu", name="stem")
    pooled = [layers.GlobalAveragePooling2D()(stem(rescaled(one))) for one in (left, right)]
    scores = layers.Dense(3, activation="softmax", name="scores")(layers.Concatenate()(pooled))
    return keras.Model([right, left], [layers.Dense(2, name="after")(scores), scores])


def subclassed(keras: Any) -> Any:
    """A dict in, a dict out, in a call of its own."""

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = keras.layers.Conv2D(8, 3, activation="relu")
            self.scores, self.box = keras.layers.Dense(3), keras.layers.Dense(4)

        def call(self, given: Any, training: bool = False) -> Any:
            x = keras.ops.mean(self.stem(given["view"] / 128.0 - 1.0), axis=(1, 2))
            x = keras.ops.concatenate([x, given["angles"]], axis=-1)
            return {"scores": keras.ops.softmax(self.scores(x)), "box": self.box(x)}

    model = Own()
    model({"view": np.zeros((1, SIDE, SIDE, 3), "float32"), "angles": np.zeros((1, 3), "float32")})
    return model


def drawn(names: Mapping[str, tuple[int, ...]], seed: int, count: int = SAMPLES) -> dict[str, Any]:
    """Samples by input: pictures where there are three sides, else numbers."""
    random = np.random.default_rng(seed)
    return {
        name: random.integers(0, 256, (count, *shape)).astype("uint8")
        if len(shape) == 3
        else random.normal(0, 1, (count, *shape)).astype("float32")
        for name, shape in names.items()
    }


POSE = {"view": (SIDE, SIDE, 3), "angles": (3,)}
TWINS = {"left": (SIDE, SIDE, 3), "right": (SIDE, SIDE, 3)}


def build_in(parameters: Mapping[str, Any], _folder: Path) -> None:
    """The models as files in `parameters["folder"]`, with samples and Keras' own answers to them."""
    import keras

    folder = Path(parameters["folder"])
    keras.utils.set_random_seed(3)
    for name, model, shapes in (
        ("pose", pose(keras), POSE),
        ("mask", mask(keras), {"view": (SIDE, SIDE, 3)}),
        ("twins", twins(keras), TWINS),
        ("own", subclassed(keras), POSE),
    ):
        samples = drawn(shapes, 5)
        floats = {key: value.astype("float32") for key, value in samples.items()}
        given: Any = floats if isinstance(getattr(model, "input", floats), dict) else None
        given = given or ([floats["right"], floats["left"]] if name == "twins" else floats["view"])
        answers = model(given, training=False)
        named = answers if isinstance(answers, dict) else _named(name, answers)
        np.savez(folder / f"{name}.npz", **samples)
        np.savez(folder / f"{name}-answers.npz", **{key: np.asarray(value) for key, value in named.items()})
        if name == "own":
            _export(keras, model, folder / "own")
        else:
            model.save(folder / f"{name}.keras")


def _named(name: str, answers: Any) -> dict[str, Any]:
    return {"after": answers[0], "scores": answers[1]} if name == "twins" else {"mask": answers}


def _export(keras: Any, model: Any, folder: Path) -> None:
    """With names of its own: Keras' own export calls them args_0, args_0_1."""
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = {
        "view": tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="view"),
        "angles": tf.TensorSpec((None, 3), tf.float32, name="angles"),
    }
    archive.add_endpoint("serve", lambda given: model(given, training=False), input_signature=[spec])
    archive.write_out(str(folder), verbose=False)


def live(_parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """A subclassed model in memory: its ports, and how far its opened parts are from it."""
    import keras

    from orilla_converters.live import on_disk
    from orilla_converters.opening import open_raw

    model = subclassed(keras)
    samples = {name: values.astype("float32") for name, values in drawn(POSE, 1).items()}
    with on_disk(model) as path:
        source = open_raw({"model": str(path), "raw": True})
    exact = model(samples, training=False)
    given = source.model([samples["angles"], samples["view"]], training=False)
    errors = [
        float(np.abs(np.asarray(one) - np.asarray(exact[name])).max())
        for one, name in zip(given, sorted(exact), strict=True)
    ]
    ports = source.ports
    names = [port.name for port in ports.inputs], [port.name for port in ports.outputs]
    return {"inputs": names[0], "outputs": names[1], "errors": errors}


def written(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Each recipe of `parameters["model"]` written and run: its tensors, and each output's error, or the refusal."""
    from orilla_converters import onnx, savedmodel, tflite
    from orilla_converters.opening import open_any
    from orilla_converters.recipe import parse_recipe
    from orilla_converters.tensor_file import write_tensors
    from orilla_converters.tracing import graph_job

    source = {"model": parameters["model"], "raw": False, "normalization": parameters.get("normalization")}
    samples = dict(np.load(parameters["samples"]))
    answers = dict(np.load(parameters["answers"]))
    files = {
        name: write_tensors(folder / name, values[:, np.newaxis], values.shape[1:], str(values.dtype)).to_json()
        for name, values in samples.items()
    }
    sample = {"calibration": next(iter(files.values())), "calibrations": files, "labels": [], "channels": "rgb"}
    found: dict[str, Any] = {}
    for spelling in parameters["recipes"]:
        recipe = parse_recipe(spelling)
        place = folder / recipe.name
        place.mkdir()
        try:
            given = {**source, **sample, "recipe": spelling, "batch": recipe.batch}
            if recipe.format == "onnx":
                made = graph_job(source | {"batch": recipe.batch}, place)
                path = onnx.write_job({**given, **made, "graph": made["path"]}, place)["path"]
            else:
                write = savedmodel.write_job if recipe.format == "savedmodel" else tflite.write_job
                path = write(given, place)["path"]
            ports = open_any(source).ports if recipe.format == "savedmodel" else None
            found[spelling] = _judged(recipe, Path(path).read_bytes(), samples, answers, ports)
        except OrillaError as error:
            found[spelling] = {"refused": str(error)}
    return found


def _judged(recipe: Any, data: bytes, samples: dict[str, Any], answers: dict[str, Any], ports: Any) -> dict[str, Any]:
    from orilla_converters.judging import judging_engine
    from orilla_runtime.engines.base import EngineOptions

    session = judging_engine(recipe.format, ports).load(data, EngineOptions(threads=1))
    rows: dict[str, list[Any]] = {spec.name: [] for spec in session.outputs}
    for place in range(SAMPLES):
        tensors = []
        for spec in session.inputs:
            values = samples[spec.name][place : place + 1]
            if recipe.io == "float" and values.dtype == np.uint8:
                values = values.astype("float32") / np.float32(127.5) - np.float32(1)
            tensors.append(values if values.dtype == spec.dtype else spec.stored(values))
        for spec, tensor in zip(session.outputs, session.run(*tensors), strict=True):
            rows[spec.name].append(np.array(spec.real(tensor)))
    tensors = {"inputs": list(map(str, session.inputs)), "outputs": list(map(str, session.outputs))}
    session.close()
    errors = {}
    for name, values in rows.items():
        span = float(answers[name].max() - answers[name].min())
        errors[name] = float(np.abs(np.concatenate(values) - answers[name]).max()) / span
    return {**tensors, "errors": errors}
