"""Jobs for `test_calibration_memory.py`: what a calibration takes at most, on few pictures and on many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.normalization import Normalization
from orilla_converters.ports import IMAGE, PROBABILITIES, InputPort, OutputPort, Ports
from orilla_converters.tensor_file import TensorFile
from orilla_converters.tracing import INPUT, LOGITS

CLASSES = 10
LAYERS = 60


def job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The largest resident memory, in bytes, when the artifact was written from few, few and many pictures."""
    from orilla_converters import onnx, tflite

    shape = TensorFile.from_json(parameters["many"]).shape[1:]
    source: dict[str, Any]
    if parameters["format"] == "onnx":
        inputs = InputPort(IMAGE, shape, Normalization(1 / 128, -127 / 128))
        ports = Ports((inputs,), (OutputPort(PROBABILITIES, (CLASSES,), softmax=True),), labelled=True)
        source = {"graph": graph(folder / "graph.onnx", shape), "layers": [], "ports": ports.to_json()}
        write = onnx.write_job
    else:
        write, source = tflite.write_job, {"model": model(folder / "model.keras", shape), "raw": True}
    peaks = []
    for sample in ("few", "few", "many"):
        write(
            {
                **source,
                "recipe": f"{parameters['format']}:int8",
                "calibration": parameters[sample],
                "labels": [str(number) for number in range(CLASSES)],
                "channels": "rgb",
            },
            folder,
        )
        peaks.append(peak())
    return {"peaks": peaks}


def peak() -> int:
    """`VmHWM`: the most that this process has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def graph(path: Path, shape: tuple[int, ...]) -> str:
    """A long chain of small convolutions: many tensors, each with its range."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    nodes = [helper.make_node("Transpose", [INPUT], ["t0"], perm=[0, 3, 1, 2])]
    weights = []
    for number in range(LAYERS):
        kernel = np.eye(3, dtype=np.float32) + random.normal(0, 0.05, (3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel[..., np.newaxis, np.newaxis], f"w{number}"))
        nodes.append(helper.make_node("Conv", [f"t{number}", f"w{number}"], [f"t{number + 1}"], name=f"conv{number}"))
    head = random.normal(0, 1, (3, CLASSES)).astype(np.float32)
    weights += [numpy_helper.from_array(head, "head"), numpy_helper.from_array(np.array([2, 3]), "axes")]
    nodes.append(helper.make_node("ReduceMean", [f"t{LAYERS}", "axes"], ["pooled"], keepdims=0))
    nodes.append(helper.make_node("MatMul", ["pooled", "head"], [LOGITS], name="dense"))
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, *shape])
    logits = helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [1, CLASSES])
    made = helper.make_graph(nodes, "chain", [image], [logits], weights)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return str(path)


def model(path: Path, shape: tuple[int, ...]) -> str:
    """Large pictures and little behind them: what grows with their number is the pictures themselves."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [
        keras.Input(shape, name="image"),
        layers.Rescaling(1 / 128, -127 / 128),
        layers.Conv2D(8, 8, strides=8, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(CLASSES),
        layers.Softmax(),
    ]
    keras.Sequential(stack).save(path)
    return str(path)
