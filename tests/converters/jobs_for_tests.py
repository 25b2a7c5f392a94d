"""Jobs that misbehave, and jobs that need TensorFlow: they run in workers, never in the test's own process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla_runtime.errors import OrillaError


def abort(_parameters: Mapping[str, Any], _folder: Path) -> None:
    """Die as a converter with a failed assertion in C++ does."""
    print("FatalError: a check failed deep inside", file=sys.stderr, flush=True)  # noqa: T201
    os.abort()


def stumble(_parameters: Mapping[str, Any], _folder: Path) -> None:
    """Raise what nobody expects."""
    raise RuntimeError("first line\nsecond line")


def hang(parameters: Mapping[str, Any], _folder: Path) -> None:
    """Never end; write the process' number where the test looks for it."""
    Path(parameters["pid"]).write_text(str(os.getpid()))
    time.sleep(600)


def swell(_parameters: Mapping[str, Any], _folder: Path) -> None:
    """Take more and more memory."""
    held = []
    while len(held) < 64:
        held.append(bytearray(b"x") * (1 << 24))
        time.sleep(0.05)
    time.sleep(600)


def shout(_parameters: Mapping[str, Any], _folder: Path) -> dict[str, int]:
    """Write to file descriptors 1 and 2, as C++ does."""
    os.write(1, b"noise on 1\n")
    os.write(2, b"noise on 2\n")
    return {"answer": 42}


def refusals(parameters: Mapping[str, Any], _folder: Path) -> dict[str, list[str]]:
    """What is said to each of the models, as a classifier."""
    from orilla_converters.opening import open_any

    found = {}
    for path in parameters["models"]:
        try:
            open_any({"model": path, "task": "classification"})
            found[Path(path).stem] = ["", ""]
        except OrillaError as error:
            found[Path(path).stem] = [type(error).__name__, str(error)]
    return found


def parts(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """For each kind of model, how far its parts are from the whole, and what was found."""
    import keras
    import numpy as np

    from orilla_converters.reference import probabilities
    from orilla_converters.source import open_source

    layers = keras.layers
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3)).astype("float32")

    def trunk() -> list[Any]:
        return [layers.Conv2D(6, 3, activation="relu"), layers.GlobalAveragePooling2D()]

    image = [keras.Input((12, 12, 3))]
    kinds = {
        "softmax_layer": [layers.Rescaling(1 / 128, -127 / 128), *trunk(), layers.Dense(4), layers.Softmax()],
        "softmax_dense": [layers.Rescaling(1 / 255), *trunk(), layers.Dense(4, activation="softmax")],
        "softmax_activation": [layers.Rescaling(1 / 255), *trunk(), layers.Dense(4), layers.Activation("softmax")],
        "logits": [layers.Rescaling(2 / 255, -1), *trunk(), layers.Dense(4)],
        "far_offset": [layers.Rescaling(1 / 255, 0.5), *trunk(), layers.Dense(4)],
        "per_channel": [layers.Rescaling([0.01, 0.02, 0.03], [0.0, 0.1, 0.2]), *trunk(), layers.Dense(4)],
        "nested": [layers.Rescaling(1 / 255), keras.Sequential([*image, *trunk()]), layers.Dense(4), layers.Softmax()],
    }
    models = {name: keras.Sequential([keras.Input((12, 12, 3)), *stack]) for name, stack in kinds.items()}
    keras.config.set_dtype_policy("mixed_float16")
    half = [layers.Rescaling(1 / 255), *trunk(), layers.Dense(4), layers.Softmax(dtype="float32")]
    models["mixed_float16"] = keras.Sequential([keras.Input((12, 12, 3)), *half])
    keras.config.set_dtype_policy("float32")
    found = {}
    for name, model in models.items():
        path = folder / f"{name}.keras"
        model.save(path)
        raw = name == "per_channel"
        source = open_source({"model": str(path), "raw": raw})
        scale, offset = source.normalization.scale, source.normalization.offset
        whole = np.asarray(model(pixels, training=False), "float32")
        whole = probabilities(whole) if source.head == "logits" else whole
        ours = probabilities(np.asarray(source.core(pixels * scale + offset, training=False)))
        found[name] = {
            "error": float(np.abs(whole - ours).max()),
            "head": source.head,
            "scale": scale,
            "zero_point": source.normalization.zero_point,
        }
    return found


def hard_graphs(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Layers that the public ONNX routes ruin: the error of our graph, and its inputs and operators."""
    import keras
    import numpy as np
    import onnx
    import onnxruntime

    from orilla_converters.tracing import graph_job

    layers = keras.layers
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 12, 12, 3)).astype("float32")
    kinds = {
        "gelu": [layers.Conv2D(8, 3, activation="gelu")],
        "grouped": [layers.Conv2D(8, 3), layers.Conv2D(8, 3, groups=4)],
        "normalization": [layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[2.0, 3.0, 4.0]), layers.Conv2D(4, 3)],
        "augmented": [layers.RandomFlip(), layers.RandomTranslation(0.1, 0.1), layers.Conv2D(4, 3)],
        "depthwise_norm": [layers.DepthwiseConv2D(3, use_bias=False), layers.BatchNormalization()],
    }
    found = {}
    for name, stack in kinds.items():
        head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
        model = keras.Sequential([keras.Input((12, 12, 3)), layers.Rescaling(1 / 255), *stack, *head])
        path = folder / f"{name}.keras"
        model.save(path)
        (folder / name).mkdir()
        graph = graph_job({"model": str(path)}, folder / name)["path"]
        proto = onnx.load(graph)
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        ours = session.run(None, {"image": pixels / 255})[0]
        found[name] = {
            "error": float(np.abs(ours - np.asarray(model(pixels, training=False))).max()),
            "inputs": [port.name for port in proto.graph.input],
            "operators": sorted({node.op_type for node in proto.graph.node}),
            "domains": [entry.domain for entry in proto.opset_import],
            "opset": proto.opset_import[0].version,
        }
    return found


def recipes(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write the artifact of each recipe, all in this process: their paths, or what was said of them."""
    from orilla_converters import onnx, tflite
    from orilla_converters.recipe import parse_recipe
    from orilla_converters.tracing import graph_job

    graphs: dict[str, Any] = {}
    found = {}
    for number, spelling in enumerate(parameters["recipes"]):
        place = folder / str(number)
        place.mkdir()
        recipe = parse_recipe(spelling)
        given = {**parameters, "recipe": spelling}
        try:
            if recipe.format == "onnx" and recipe.batch not in graphs:
                (place / "graph").mkdir()
                graphs[recipe.batch] = graph_job({**given, "batch": recipe.batch}, place / "graph")
            if recipe.format == "onnx":
                graph = graphs[recipe.batch]
                given |= {"graph": graph["path"], "ports": graph["ports"], "layers": graph["layers"]}
            made = (onnx if recipe.format == "onnx" else tflite).write_job(given, place)
            found[spelling] = {"path": made["path"]}
        except OrillaError as error:
            found[spelling] = {"refused": str(error)}
    return found
