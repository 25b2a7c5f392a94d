"""From verdicts to a bundle: golden data, the manifest and the report of the verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.golden_pictures import drawn_picture, real_picture
from orilla_converters.judging import judging_engine, kernels_of
from orilla_converters.plain_json import json_bytes, plain_text
from orilla_converters.recipe import FORMATS, Recipe
from orilla_converters.stability import Worst
from orilla_converters.standing import artifact_path
from orilla_converters.verify import Judge, Verdict, run_all
from orilla_runtime.bundle.golden import build_golden
from orilla_runtime.bundle.manifest import Artifact, Golden, Manifest, TaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.errors import UsageError
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.preprocess import Preprocess, Preprocessor

GOLDEN_KINDS = ("real", "drawn", "none")
GOLDEN_INPUTS = 4
TOLERANCE_FLOOR = {"float32": 1e-4, "float16": 5e-3, "int8": 2e-2, "mixed": 2e-2, "dynamic": 2e-2, "16x8": 2e-2}
VERSIONED = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert")


def write(
    output: Path,
    *,
    verdicts: Sequence[Verdict],
    defaults: Mapping[str, str],
    judge: Judge,
    labels: tuple[str, ...],
    preprocess: Preprocess,
    training: Mapping[str, Any],
    golden: str,
    record: Mapping[str, Any],
) -> str:
    """Write the bundle of artifacts that passed, and give its id; `record` goes into `extra`.

    defaults: the path of the default artifact of each format.
    """
    entries: dict[str, bytes | Path] = {artifact_path(verdict): verdict.data for verdict in verdicts}
    test, files = _golden(golden, verdicts, judge, preprocess)
    entries |= files
    entries["report/verification.json"] = _report(verdicts, judge)
    manifest = Manifest(
        name=output.stem,
        created_by=f"orilla {package_version('orilla')}",
        task=TaskInfo("classification", labels, "probabilities"),
        preprocess=preprocess,
        artifacts=tuple(_artifact(verdict) for verdict in verdicts),
        defaults=dict(defaults),
        files=(),
        golden=test,
        training=plain_text(training),
        extra={**record, "versions": {name: package_version(name) for name in VERSIONED}},
    )
    return write_bundle(output, manifest, entries)


def package_version(package: str) -> str:
    """The version of an installed package, or `unknown`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _artifact(verdict: Verdict) -> Artifact:
    assert verdict.comparison is not None
    return Artifact(
        path=artifact_path(verdict),
        format=verdict.recipe.format,
        precision=verdict.recipe.precision,
        inputs=verdict.inputs,
        outputs=verdict.outputs,
        recipe=str(verdict.recipe),
        metrics=verdict.comparison.metrics,
        gate=verdict.gate,
        repairs=verdict.repairs,
    )


def _report(verdicts: Sequence[Verdict], judge: Judge) -> bytes:
    rows = []
    for verdict in verdicts:
        assert verdict.comparison is not None
        rows.append(
            {
                "artifact": artifact_path(verdict),
                "bytes": len(verdict.data),
                "operators": operators(verdict.data, verdict.recipe),
                "gate": asdict(verdict.gate),
                "metrics": asdict(verdict.comparison.metrics),
                "cosine": verdict.comparison.cosine,
                "untied_to_place_5": verdict.comparison.untied,
                "keras_untied_to_place_5": verdict.comparison.keras_untied,
                "thresholds": [asdict(flips) for flips in verdict.comparison.flips],
                "worst": [_worst(worst, judge) for worst in verdict.comparison.worst],
            }
        )
    report = {"artifacts": rows, "judged": {"n": len(judge.tensors), "digest": judge.tensors.digest}}
    return json_bytes(report, sort_keys=True)


def _worst(worst: Worst, judge: Judge) -> dict[str, Any]:
    """A picture by its path, and `[class id, score]` of both sides' best classes."""
    return {
        "picture": judge.images.paths[worst.index].as_posix(),
        "max_abs_error": worst.error,
        "keras": [list(pair) for pair in worst.keras],
        "artifact": [list(pair) for pair in worst.artifact],
    }


def operators(data: bytes, recipe: Recipe) -> dict[str, int]:
    """How often each operator stands in the file: a stray Transpose or Cast shows here. Of a folder nothing is said."""
    if recipe.format not in FORMATS:
        return {}
    return dict(sorted(read_model(data, recipe.name).operators.items()))


def _golden(
    kind: str, verdicts: Sequence[Verdict], judge: Judge, preprocess: Preprocess
) -> tuple[Golden | None, Mapping[str, bytes]]:
    if kind == "none":
        return None, {}
    if kind not in GOLDEN_KINDS:
        raise UsageError(f"Unknown kind of golden data: {kind!r}.", f"Orilla knows {', '.join(GOLDEN_KINDS)}.")
    inputs, picture = _real(judge) if kind == "real" else _drawn(preprocess)
    outputs = {artifact_path(verdict): _outputs(verdict, judge, inputs) for verdict in verdicts}
    return build_golden(preprocess=preprocess, inputs=inputs, outputs=outputs, picture=picture, kind=kind)


def _real(judge: Judge) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A few judged tensors from all over the set, and the first judged picture, made smaller where it is large."""
    pictures = judge.tensors.open()
    places = np.unique(np.linspace(0, len(pictures) - 1, GOLDEN_INPUTS).astype(int))
    picture = real_picture(judge.images.full_path(0))
    return np.array(pictures[places]), picture


def _drawn(preprocess: Preprocess) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures of nothing, the same everywhere: shades, blobs and a little noise from a fixed seed."""
    function = Preprocessor(preprocess)
    pictures = [drawn_picture(number) for number in range(GOLDEN_INPUTS)]
    return np.concatenate([function(picture).copy() for picture in pictures]), pictures[0]


def _outputs(verdict: Verdict, judge: Judge, inputs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """The artifact's outputs, and twice the difference between the engine's two sets of kernels."""
    engine = judging_engine(verdict.recipe.format)
    found = {}
    for kernels in kernels_of(verdict.recipe.format):
        session = engine.load(verdict.data, EngineOptions(kernels=kernels))
        try:
            found[kernels] = run_all(session, inputs, judge.left_outside(verdict.recipe))
        finally:
            session.close()
    difference = max(float(np.abs(found["default"].astype(np.float64) - other).max()) for other in found.values())
    tolerance = min(1.0, 2 * difference + TOLERANCE_FLOOR[verdict.recipe.precision])
    # Rounded up to three decimals: the last bits of a difference between kernels say nothing.
    return found["default"], float(np.ceil(tolerance * 1e4) / 1e4)
