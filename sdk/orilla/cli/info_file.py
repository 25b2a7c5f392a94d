"""What `orilla info` shows of a .tflite or .onnx file, ours or someone else's; without an engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json, size

if TYPE_CHECKING:
    from orilla_runtime.formats.model_file import ModelFile
    from orilla_runtime.tasks.fitting import Fitted
    from orilla_runtime.tensors import TensorSpec

_FORMATS = {"tflite": "TFLite", "onnx": "ONNX"}
# LiteRT's interpreter and ONNX Runtime carry these, though they are not of the format's own set.
_CARRIED = ("TFLite_Detection_PostProcess", "ai.onnx.ml:", "com.microsoft:")
_SHOWN = 5


def show_file(path: Path, as_json: bool) -> None:
    """Print what the file says of itself, and what Orilla would do with it.

    Raises:
        ModelError: no model file, damaged or cut.
    """
    from orilla_runtime.formats.files import read_bytes
    from orilla_runtime.formats.sniff import read_model

    data = read_bytes(path)
    file = read_model(data, path.name)
    fitted, reason = _use(file, path.name)
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        print_json(_as_json(path.name, file, fitted, reason) | {"bytes": len(data), "sha256": digest})
        return
    _line(f"{path.name}: {_FORMATS.get(file.format, file.format)}, {size(len(data))} bytes")
    rows = [("sha256", digest), *_rows(file), ("use", _fit_words(fitted) if fitted else f"none: {reason}")]
    for key, text in rows:
        if text:
            first, *more = text.split("\n")
            _line(f"{key:<13}{first}")
            for line in more:
                _line(f"{'':<13}{line}")


def _line(text: str) -> None:
    """Names out of a foreign file must not steer a terminal."""
    from orilla_runtime.text import printable

    click.echo(printable(text))


def _use(file: ModelFile, name: str) -> tuple[Fitted | None, str]:
    """The task that fits, or why none does."""
    from orilla_runtime.errors import ModelError
    from orilla_runtime.tasks.fitting import FitOptions, fit_classification

    foreign = [operator for operator in file.custom if not operator.startswith(_CARRIED)]
    if foreign:
        return None, f"no engine here carries {', '.join(foreign[:_SHOWN])}"
    if file.format == "onnx" and not file.opsets:
        return None, "it names no operator set, so its operators have no meaning"
    if file.outside:
        return None, f"its weights are in other files ({', '.join(file.outside[:_SHOWN])})"
    try:
        return fit_classification(file, FitOptions(), name), ""
    except ModelError as error:
        reason = error.message.removeprefix(f"{name}: no task fits: ").removeprefix(f"{name}: ")
        reason = reason.removeprefix(f"{name} does not say ").rstrip(".")
        reason = f"it does not say {reason}" if error.message.startswith(f"{name} does not say ") else reason
        return None, f"{reason}.\n{error.remedy}"


def _rows(file: ModelFile) -> Iterator[tuple[str, str]]:
    yield "name", file.name
    yield "description", _short(file.description)
    yield "producer", file.producer
    for key, text in file.metadata.items():
        if key != "name" and not key.startswith("orilla."):
            yield key[:12], _short(text)
    yield "inputs", "\n".join(map(_tensor, file.inputs))
    yield "outputs", "\n".join(map(_tensor, file.outputs))
    yield "signatures", ", ".join(file.signatures) if file.signatures else ""
    yield "operators", _operators(file)
    yield "labels", _labels(file)
    yield "normalized", _normalized(file)
    if file.format == "onnx":
        sets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in sorted(file.opsets.items()))
        yield "needs", f"opset {sets or 'not named'}, IR version {file.ir_version}"
    else:
        yield "needs", f"TFLite runtime {file.least_runtime} or newer" if file.least_runtime else ""


def _tensor(spec: TensorSpec) -> str:
    quantization = spec.quantization
    if quantization is None:
        return str(spec)
    return f"{spec}, scale {quantization.scale:.6g}, zero point {quantization.zero_point}"


def _operators(file: ModelFile) -> str:
    """The most frequent first; those that are not of the format's own set are marked."""
    words = []
    for name, count in _counted(file).items():
        words.append(f"{name}{' (custom)' if name in file.custom else ''} {count}")
    return ", ".join(words)


def _counted(file: ModelFile) -> dict[str, int]:
    return dict(sorted(file.operators.items(), key=lambda item: (-item[1], item[0])))


def _labels(file: ModelFile) -> str:
    if file.labels is not None:
        return f"{len(file.labels)}: {_some(file.labels)}"
    loose = "; ".join(f"{name} with {len(lines)} lines" for name, lines in file.label_files.items())
    return f"none tied to the output; packed files: {loose}" if loose else "none"


def _normalized(file: ModelFile) -> str:
    said = file.normalization
    if said is None:
        return ""
    if not any(said.mean) and set(said.std) == {1.0}:
        return "not at all: it takes pixels of 0 to 255 as they are"
    takes_floats = any(spec.dtype.startswith("float") for spec in file.inputs)
    note = "" if takes_floats else "  (of its float twin: this one takes the bytes themselves)"
    return f"(pixel - {_list(said.mean)}) / {_list(said.std)}{note}"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _list(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:g}" for value in values)
    return shown if len(values) == 1 else f"[{shown}]"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _fit_words(fitted: Fitted) -> str:
    preprocess = fitted.preprocess
    height, width = preprocess.size
    task = fitted.task
    return (
        f"{task.name} of {width}x{height} {preprocess.channels} pictures, {len(task.labels)} classes, {task.output} out"
    )


def _as_json(name: str, file: ModelFile, fitted: Fitted | None, reason: str) -> dict[str, Any]:
    return {
        "path": name,
        "format": file.format,
        "name": file.name,
        "description": file.description,
        "producer": file.producer,
        "artifacts": [
            {
                "path": name,
                "format": file.format,
                "inputs": [asdict(spec) for spec in file.inputs],
                "outputs": [asdict(spec) for spec in file.outputs],
            }
        ],
        "task": {"name": fitted.task.name, "output": fitted.task.output} if fitted else None,
        "reason": reason or None,
        "labels": None if file.labels is None else list(file.labels),
        "preprocess": asdict(fitted.preprocess) if fitted else None,
        "normalization": None if file.normalization is None else _finite(asdict(file.normalization)),
        "operators": _counted(file),
        "custom": list(file.custom),
        "signatures": list(file.signatures),
        "packed_files": {path: len(lines) for path, lines in file.label_files.items()},
        "opsets": {domain or "ai.onnx": version for domain, version in file.opsets.items()} or None,
        "ir_version": file.ir_version,
        "least_runtime": file.least_runtime,
        "metadata": dict(file.metadata),
    }


def _finite(numbers: dict[str, tuple[float, ...]]) -> dict[str, list[float | None]]:
    """JSON has no NaN and no infinity; a damaged file may hold either."""
    return {key: [one if abs(one) < float("inf") else None for one in values] for key, values in numbers.items()}
