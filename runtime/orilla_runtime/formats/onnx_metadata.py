"""Labels and normalization in the `metadata_props` of an ONNX file.

Orilla writes `orilla.labels`, `orilla.mean`, `orilla.std` (JSON lists) and `orilla.output`; `labels` and `names` are
what other exporters write: a JSON list, or a map from class number to name in JSON or in Python's spelling.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from orilla_runtime.formats.model_file import Normalization

_LONGEST = 4 << 20


def labels_in(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Class names in class order; None where no entry holds them in a form that is known."""
    for key in ("orilla.labels", "labels", "names"):
        found = _names(_value(metadata.get(key, "")))
        if found:
            return found
    return None


def normalization_in(metadata: Mapping[str, str]) -> Normalization | None:
    """What the float input takes, where Orilla wrote it."""
    mean, std = (_numbers(_value(metadata.get(f"orilla.{key}", ""))) for key in ("mean", "std"))
    return Normalization(mean, std) if mean and std else None


def output_in(metadata: Mapping[str, str]) -> str | None:
    """`probabilities` or `logits`, where Orilla wrote it."""
    output = metadata.get("orilla.output")
    return output if output in {"probabilities", "logits"} else None


def _value(text: str) -> Any:
    if not text or len(text) > _LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, dict):
        by_class = {str(key): name for key, name in value.items()}
        value = [by_class.get(str(number)) for number in range(len(by_class))]
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return tuple(value)
    return None


def _numbers(value: Any) -> tuple[float, ...] | None:
    if isinstance(value, list) and all(isinstance(one, int | float) for one in value):
        return tuple(float(one) for one in value)
    return None
