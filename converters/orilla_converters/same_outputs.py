"""Whether two files are the same model: an engine gives the same outputs for both, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import ConversionError, EngineError, ModelError, OrillaError
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.tensors import TensorSpec

INPUTS = 3
_WORDS = ("float", "int", "uint", "bool")


@dataclass(frozen=True, slots=True)
class Comparison:
    """On how many drawn inputs the outputs were equal, and in which engine; 0 and the reason where none could run."""

    inputs: int
    engine: str
    reason: str = ""


def compare(old: bytes, new: bytes, file: ModelFile, name: str) -> Comparison:
    """Run both on a few drawn inputs.

    Raises:
        ConversionError: the new file does not open or run where the old one did, or gives other outputs.
    """
    options = EngineOptions(threads=1, signature=file.signatures[0] if len(file.signatures) > 1 else None)
    try:
        engine = engine_for(file.format)
        first = engine.load(old, options)
    except (EngineError, ModelError) as error:
        return Comparison(0, "", error.message)
    try:
        wanted = _run(first)
    except ModelError as error:
        return Comparison(0, "", error.message)
    finally:
        first.close()
    try:
        second = engine.load(new, options)
        try:
            found = _run(second)
        finally:
            second.close()
    except OrillaError as error:
        raise ConversionError(f"{name}: the new file does not run ({error.message}); nothing was written.") from error
    if wanted != found:
        raise ConversionError(f"{name}: the new file gives other outputs; nothing was written.", "Please report this.")
    return Comparison(INPUTS, engine.name)


def _run(session: Session) -> list[list[bytes]]:
    """The outputs' bytes for each drawn set of inputs."""
    random = np.random.default_rng(0)
    return [
        [output.tobytes() for output in session.run(*(_drawn(spec, random) for spec in session.inputs))]
        for _ in range(INPUTS)
    ]


def _drawn(spec: TensorSpec, random: np.random.Generator) -> NDArray[Any]:
    """Numbers of a tensor's type: whole ranges of pixels, small ones where they may be indices."""
    if not spec.dtype.startswith(_WORDS) or "_" in spec.dtype:
        raise ModelError(f"An input of {spec.dtype} cannot be drawn.")
    shape = [1 if side is None else side for side in spec.shape]
    if spec.dtype.startswith("float"):
        return random.uniform(-1, 1, shape).astype(spec.dtype)
    limits = {"uint8": (0, 256), "int8": (-128, 128)}.get(spec.dtype, (0, 2))
    return random.integers(*limits, shape).astype(spec.dtype)
