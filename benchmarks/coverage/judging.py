"""Job: run one written artifact in its real engine on the pictures, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.structure import Structure, read_structure
from orilla_converters.judging import judging_engine
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.tensors import TensorSpec

CLOSE = 1e-3
"""How far a float32 artifact may be from Keras, as a share of the output's range."""
_WANTED = {"float16": "float16", "int8": "int8", "dynamic": "int8", "16x8": "int8", "mixed": "int8"}
Arrays = dict[str, NDArray[Any]]


def judge_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Judge the file `artifact` (`format`, `precision`) by `pictures` and `answers`; without `faults` it is good."""
    data = Path(parameters["artifact"]).read_bytes()
    pictures, answers = (dict(np.load(parameters[name])) for name in ("pictures", "answers"))
    structure = read_structure(parameters["format"], data)
    session = judging_engine(parameters["format"]).load(data, EngineOptions(threads=1))
    batch = None if parameters["format"] == "savedmodel" else 1
    try:
        faults = [*_ports(session, batch, pictures, answers), *_kind(structure, parameters["precision"])]
        found = {} if faults else _run(session, pictures)
    finally:
        session.close()
    judged = [_compare(name, answers[name], found[name], parameters["precision"]) for name in found]
    quantized = parameters["precision"] in {"int8", "16x8", "mixed"}
    return {
        "faults": [*faults, *(fault for one in judged for fault in one["faults"])],
        "error": max((one["error"] for one in judged), default=None),
        "sqnr_db": min((one["sqnr_db"] for one in judged), default=None),
        "agreement": min((one["agreement"] for one in judged), default=None),
        "bytes": len(data),
        "in_float": structure.in_float if quantized else {},
    }


def _ports(session: Session, batch: int | None, pictures: Arrays, answers: Arrays) -> list[str]:
    """Bytes in and real numbers out, by the names and shapes of the model, batch of one; None: any number."""
    wanted = {name: ((batch, *values.shape[1:]), "uint8") for name, values in pictures.items()}
    given = {name: ((batch, *values.shape[1:]), "float32") for name, values in answers.items()}
    return [
        f"it {verb} {', '.join(map(str, specs))}, not {expected}"
        for verb, specs, expected in (("takes", session.inputs, wanted), ("gives", session.outputs, given))
        if _said(specs) != expected
    ]


def _said(specs: Sequence[TensorSpec]) -> dict[str, Any]:
    return {spec.name: (spec.shape, spec.dtype) for spec in specs}


def _kind(structure: Structure, precision: str) -> list[str]:
    """Whether the file is of the precision that was asked."""
    faults = [f"it needs the operators {', '.join(structure.foreign)}"] if structure.foreign else []
    wanted = _WANTED.get(precision)
    held = structure.weights
    # Dynamic range leaves small layers in float, mixed the layers that it is told to.
    least = 0 if precision in {"dynamic", "mixed"} else held.get("float32", 0)
    if wanted is not None and held.get(wanted, 0) <= least:
        faults.append(f"its weights are not {wanted}: {', '.join(f'{n} bytes of {kind}' for kind, n in held.items())}")
    return faults


def _run(session: Session, pictures: Arrays) -> Arrays:
    rows: dict[str, list[Any]] = {spec.name: [] for spec in session.outputs}
    for number in range(len(next(iter(pictures.values())))):
        given = session.run(*(pictures[spec.name][number : number + 1] for spec in session.inputs))
        for spec, tensor in zip(session.outputs, given, strict=True):
            rows[spec.name].append(np.array(spec.real(tensor)))
    return {name: np.concatenate(tensors) for name, tensors in rows.items()}


def _compare(name: str, keras: NDArray[Any], found: NDArray[Any], precision: str) -> dict[str, Any]:
    span = float(keras.max() - keras.min())
    if not np.isfinite(found).all():
        return {"faults": [f"{name} is not finite"], "error": 1.0, "sqnr_db": -999.0, "agreement": 0.0}
    error = float(np.abs(keras.astype(np.float64) - found).max()) / span
    best_two = np.sort(keras, axis=-1)[..., -2:]
    same = keras.argmax(axis=-1) == found.argmax(axis=-1)
    clear = (best_two[..., -1] - best_two[..., 0] > CLOSE * span) if best_two.shape[-1] == 2 else np.ones_like(same)
    faults = []
    if (found == found[:1]).all():
        faults.append(f"{name} is constant")
    if name == "probabilities" and np.abs(found.sum(axis=-1) - 1).max() > 0.01:
        faults.append(f"{name} do not sum to 1")
    if precision == "float32" and error > CLOSE:
        faults.append(f"{name} is off by {error:.1e} of its range")
    if precision == "float32" and not same[clear].all():
        faults.append(f"{name} has another best class for {int((~same[clear]).sum())} of {int(clear.sum())}")
    return {"faults": faults, "error": error, "sqnr_db": _sqnr(name, keras, found), "agreement": float(same.mean())}


def _sqnr(name: str, keras: NDArray[Any], found: NDArray[Any]) -> float:
    """Signal to noise in dB, one decimal: of the logits behind probabilities, of other outputs themselves."""
    signal, other = (_centred(name, values.astype(np.float64)) for values in (keras, found))
    noise = float(((signal - other) ** 2).sum())
    return round(10 * log10(float((signal**2).sum()) / max(noise, 1e-30)), 1)


def _centred(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    classes = name == "probabilities"
    values = np.log(np.maximum(values, 1e-30)) if classes else values
    centred: NDArray[np.float64] = values - values.mean(axis=-1 if classes else None, keepdims=True)
    return centred
