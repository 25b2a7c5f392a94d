"""How long one picture takes: each artifact of a bundle against a `tf.function` of its Keras model, in one process.

The rounds are interleaved, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from orilla_converters.keras_card import read_card
from orilla_converters.recipe import FORMATS
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_converters.timing import interleaved
from orilla_converters.worker import Workshop
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

ROUNDS = 15


def measure_latency(
    model: str | Path, bundle: str | Path, picture: str | Path, rounds: int = ROUNDS
) -> tuple[float, dict[str, float]]:
    """Milliseconds of one call with a batch of one: the Keras model's, and each artifact's by its path.

    Each is the median over `rounds` quiet rounds, out of twice as many. The input is the tensor of `picture`.
    """
    card = read_card(model)
    with Workshop() as workshop, open_bundle(bundle) as opened:
        preprocess = opened.classifier.preprocess
        tensor = Preprocessor(preprocess)(read_picture(picture))
        shape = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
        sample = write_tensors(workshop.scratch / "picture.u8", [tensor], shape)
        files = {}
        able = [artifact for artifact in opened.classifier.artifacts if artifact.format in FORMATS]
        for number, artifact in enumerate(able):
            file = workshop.scratch / f"{number}.{artifact.format}"
            file.write_bytes(opened.read(artifact.path))
            files[artifact.path] = {"path": str(file), "format": artifact.format}
        parameters = {
            "model": str(model),
            "raw": card is not None,
            "normalization": opened.manifest.extra.get("normalization") if card is None else None,
            "tensors": sample.to_json(),
            "artifacts": files,
            "rounds": rounds,
        }
        value = workshop.run("latency", "latency", parameters)
    return value["keras"], value["artifacts"]


def latency_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Job: time the Keras model and the artifacts in interleaved rounds."""
    import tensorflow as tf

    from orilla_converters.source import open_source

    source = open_source(parameters)
    tensor = np.array(TensorFile.from_json(parameters["tensors"]).open())
    function = tf.function(lambda pixels: source.model(pixels, training=False))
    pixels = tensor.astype(np.float32)
    calls: dict[str, Callable[[], Any]] = {"": lambda: function(tf.constant(pixels)).numpy()}
    for name, file in parameters["artifacts"].items():
        session = engine_for(file["format"]).load(Path(file["path"]).read_bytes(), EngineOptions())
        calls[name] = partial(session.run, tensor)
    rounds = int(parameters["rounds"])
    spent = {name: median(times) * 1000 for name, times in interleaved(calls, inf, rounds, 2 * rounds).items()}
    return {"keras": spent.pop(""), "artifacts": spent}
