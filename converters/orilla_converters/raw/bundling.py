"""From raw verdicts to a raw bundle: golden data, the manifest and the report of the verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.bundling import (
    GOLDEN_INPUTS,
    TOLERANCE_FLOOR,
    VERSIONED,
    operators,
    package_version,
)
from orilla_converters.golden_pictures import drawn_picture, real_picture
from orilla_converters.judging import judging_engine, kernels_of
from orilla_converters.plain_json import json_bytes
from orilla_converters.ports import Ports
from orilla_converters.raw.judging import RawVerdict, run
from orilla_converters.raw.refusal import sample
from orilla_converters.raw.samples import Samples
from orilla_converters.standing import artifact_path
from orilla_runtime.bundle.golden_parts import pixels_of
from orilla_runtime.bundle.raw_golden import Outputs, build_raw_golden
from orilla_runtime.bundle.raw_manifest import RawArtifact, RawGolden, RawManifest, RawTaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.preprocess import Preprocess, Preprocessor


def write(
    output: Path,
    *,
    verdicts: Sequence[RawVerdict],
    defaults: Mapping[str, str],
    samples: Samples,
    ports: Ports,
    preprocess: Mapping[str, Preprocess],
    training: Mapping[str, Any],
    golden: str,
    record: Mapping[str, Any],
) -> str:
    """Write the bundle of artifacts that passed, and give its id; `record` goes into `extra`.

    defaults: the path of the default artifact of each format.
    """
    entries: dict[str, bytes | Path] = {artifact_path(verdict): verdict.data for verdict in verdicts}
    test, files = (None, {}) if golden == "none" else _golden(golden, verdicts, samples, ports, preprocess)
    entries |= files
    entries["report/verification.json"] = _report(verdicts, samples)
    manifest = RawManifest(
        name=output.stem,
        created_by=f"orilla {package_version('orilla')}",
        task=RawTaskInfo(),
        preprocess=preprocess,
        artifacts=tuple(_artifact(verdict) for verdict in verdicts),
        defaults=dict(defaults),
        files=(),
        golden=test,
        training=dict(training),
        extra={**record, "versions": {name: package_version(name) for name in VERSIONED}},
    )
    return write_bundle(output, manifest, entries)


def _artifact(verdict: RawVerdict) -> RawArtifact:
    return RawArtifact(
        path=artifact_path(verdict),
        format=verdict.recipe.format,
        precision=verdict.recipe.precision,
        inputs=verdict.inputs,
        outputs=verdict.outputs,
        recipe=str(verdict.recipe),
        metrics=verdict.metrics,
        gate=verdict.gate,
    )


def _report(verdicts: Sequence[RawVerdict], samples: Samples) -> bytes:
    rows = [
        {
            "artifact": artifact_path(verdict),
            "bytes": len(verdict.data),
            "operators": operators(verdict.data, verdict.recipe),
            "gate": asdict(verdict.gate),
            "outputs": [] if verdict.metrics is None else [asdict(output) for output in verdict.metrics.outputs],
            "worst": {name: sample(samples, place) for name, place in verdict.worst.items()},
        }
        for verdict in verdicts
    ]
    report = {"artifacts": rows, "judged": {"n": samples.judged_on}}
    return json_bytes(report, sort_keys=True)


def _golden(
    kind: str, verdicts: Sequence[RawVerdict], samples: Samples, ports: Ports, preprocess: Mapping[str, Preprocess]
) -> tuple[RawGolden, dict[str, bytes]]:
    inputs = _real(samples, ports) if kind == "real" else _drawn(samples, ports, preprocess)
    picture = None
    if len(ports.inputs) == 1 and ports.pictures:
        real = kind == "real" and samples.images is not None
        picture = real_picture(samples.images.full_path(0)) if real and samples.images else drawn_picture(0)
    outputs = {artifact_path(verdict): _outputs(verdict, ports, inputs) for verdict in verdicts}
    return build_raw_golden(preprocess=preprocess, inputs=inputs, outputs=outputs, picture=picture, kind=kind)


def _real(samples: Samples, ports: Ports) -> dict[str, NDArray[Any]]:
    """A few judged samples from all over the set."""
    places = np.unique(np.linspace(0, samples.judged_on - 1, GOLDEN_INPUTS).astype(int))
    return {port.name: np.array(samples.judged[port.name].open()[places]) for port in ports.inputs}


def _drawn(samples: Samples, ports: Ports, preprocess: Mapping[str, Preprocess]) -> dict[str, NDArray[Any]]:
    """Pictures of nothing, and numbers from the range of those that calibrated; from a fixed seed."""
    found: dict[str, NDArray[Any]] = {}
    for port in ports.inputs:
        made = preprocess.get(port.name)
        if made is None:
            low, high = _range(samples, port.name)
            shape = (GOLDEN_INPUTS, *port.shape)
            found[port.name] = np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)
        else:
            function = Preprocessor(pixels_of(made))
            found[port.name] = np.concatenate([function(drawn_picture(at)).copy() for at in range(GOLDEN_INPUTS)])
    return found


def _range(samples: Samples, name: str) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for row in samples.calibration[name]:
        low, high = min(low, float(row.min())), max(high, float(row.max()))
    return low, high


def _outputs(verdict: RawVerdict, ports: Ports, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
    """The artifact's outputs, and how far from them another kernel may be: each output has a range of its own."""
    engine = judging_engine(verdict.recipe.format, ports)
    found = {}
    for kernels in kernels_of(verdict.recipe.format):
        session = engine.load(verdict.data, EngineOptions(kernels=kernels))
        try:
            rows = [run(session, ports, row, verdict.recipe.io) for row in zip(*inputs.values(), strict=True)]
        finally:
            session.close()
        found[kernels] = [np.concatenate(tensors) for tensors in zip(*rows, strict=True)]
    assert verdict.metrics is not None
    return {
        output.name: (ours, _tolerance(ours, others, TOLERANCE_FLOOR[verdict.recipe.precision] * output.span))
        for output, ours, *others in zip(verdict.metrics.outputs, found["default"], *found.values(), strict=True)
    }


def _tolerance(ours: NDArray[np.float32], others: Sequence[NDArray[np.float32]], floor: float) -> float:
    """Twice the difference between the engine's sets of kernels, and `floor`; three digits say all there is."""
    difference = max(float(np.abs(ours.astype(np.float64) - other).max(initial=0.0)) for other in others)
    return float(f"{1.01 * (2 * difference + floor):.3g}")
