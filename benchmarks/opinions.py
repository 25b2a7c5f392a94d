"""Do other people's tools read our files as we do? EfficientNet-Lite0 and MobileNetV1 0.25, 100 ImageNet photos.

`python -m benchmarks.opinions PYTHON`: PYTHON is that of an environment with `opinions-requirements.txt` installed.
OpenVINO runs every file, int8 also without its own int8 kernels; `tf2onnx --tflite` turns the `.tflite` files into
ONNX, which ONNX Runtime runs. The engine's own plain kernels are asked too: where they differ from its fast ones, no
other engine can be expected to agree.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imagenet import unpack
from benchmarks.nets import LITE0, MOBILENET, write_net
from benchmarks.results import write
from orilla_converters.conversion import convert
from orilla_converters.recipe import FORMATS, Recipe
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

PHOTOS = 100


def ours(format_: str, data: bytes, pictures: Any, kernels: str = "default") -> Any:
    """What Orilla's own engine gives, float32 [n, classes]."""
    session = engine_for(format_).load(data, EngineOptions(kernels=kernels))
    scores = np.concatenate([session.run(picture[np.newaxis])[0].copy() for picture in pictures])
    session.close()
    return scores


def through_openvino(python: str, file: Path, pictures: Path, *how: str) -> Any:
    """The same file in OpenVINO; `as-written`: without what it makes of int8 graphs."""
    script, out = Path(__file__).with_name("openvino_opinion.py"), file.with_suffix(".openvino.npy")
    subprocess.run([python, str(script), str(file), str(pictures), str(out), *how], check=True)
    return np.load(out)


def through_tf2onnx(file: Path, pictures: Any) -> Any:
    """A `.tflite` file as `tf2onnx` reads it, in ONNX Runtime without any optimization."""
    import onnx
    import onnxruntime

    out = file.with_suffix(".tf2onnx.onnx")
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(file), "--output", str(out), "--opset", "18"]
    subprocess.run(command, check=True, capture_output=True)
    onnx.checker.check_model(str(out), full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: picture[np.newaxis]})[0] for picture in pictures])


def row(net: str, artifact: str, tool: str, own: Any, other: Any) -> dict[str, Any]:
    """How two outputs for the same pictures differ."""
    same = own.argmax(axis=1) == other.argmax(axis=1)
    best = np.sort(own[~same], axis=1)
    return {
        "net": net,
        "artifact": artifact,
        "tool": tool,
        "same_top1": float(same.mean()),
        "lead_of_the_best_where_not": ", ".join(f"{lead:.3f}" for lead in best[:, -1] - best[:, -2]),
        "largest_difference": f"{np.abs(own - other).max():.2g}",
    }


def opinions(net: str, python: str, folder: Path, photos: Path) -> list[dict[str, Any]]:
    """A row for each file of a net and each tool that reads it."""
    import onnx

    model, output = folder / f"{net}.keras", folder / f"{net}.orilla"
    write_net(net, model)
    recipes = [Recipe(format_, precision) for format_ in FORMATS for precision in ("float32", "float16", "int8")]
    convert(model, data=photos, output=output, recipes=recipes, jobs=2, max_drop=0.02, timing=False)
    with open_bundle(output) as bundle:
        manifest = bundle.manifest
        assert isinstance(manifest, Manifest)
        files = {artifact.path: bundle.read(artifact.path) for artifact in manifest.artifacts}
    function = Preprocessor(manifest.preprocess)
    chosen = sorted((folder / "images").iterdir())[:: 500 // PHOTOS][:PHOTOS]
    pictures = np.concatenate([function(read_picture(file)).copy() for file in chosen])
    np.save(folder / "pictures.npy", pictures)
    rows = []
    for path, data in files.items():
        file = folder / Path(path).name
        file.write_bytes(data)
        format_ = file.suffix[1:]
        own = ours(format_, data, pictures)
        plain = ours(format_, data, pictures, "reference")
        rows.append(row(net, file.name, "its own engine's plain kernels", own, plain))
        rows.append(row(net, file.name, "OpenVINO", own, through_openvino(python, file, folder / "pictures.npy")))
        if file.stem == "int8":
            written = through_openvino(python, file, folder / "pictures.npy", "as-written")
            rows.append(row(net, file.name, "OpenVINO, its int8 kernels off", own, written))
        if format_ == "onnx":
            onnx.checker.check_model(str(file), full_check=True)
        else:
            rows.append(row(net, file.name, "tf2onnx --tflite", own, through_tf2onnx(file, pictures)))
    return rows


def main(python: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = unpack(folder)
        rows = [one for net in (LITE0, MOBILENET) for one in opinions(net, python, folder, photos)]
    figures = {"photos": PHOTOS, "onnx_checker": "full, passed by every ONNX file, ours and tf2onnx's"}
    write("opinions", "Our files in other people's tools", figures, rows)


if __name__ == "__main__":
    main(sys.argv[1])
