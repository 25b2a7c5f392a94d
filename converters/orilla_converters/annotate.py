"""`orilla metadata`: labels, normalization and texts into a model that someone else made, its weights untouched.

Nothing is written before the new file was read back, its weights were compared with the old one's, and an engine, where
there is one, gave the same outputs for both, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from orilla_converters.metadata_codec import decode_metadata, encode_metadata
from orilla_converters.metadata_edit import TEXTS, files_named, label_lines, with_labels, with_normalization, with_texts
from orilla_converters.onnx_properties import graph_of, with_properties
from orilla_converters.same_outputs import Comparison, compare
from orilla_converters.tflite_layer import buffers, metadata_of, split, with_metadata
from orilla_runtime.bundle.reader import is_bundle
from orilla_runtime.errors import ConversionError, EngineError, ModelError, UsageError
from orilla_runtime.files import replaced
from orilla_runtime.formats.files import read_bytes
from orilla_runtime.formats.limits import DamagedFileError
from orilla_runtime.formats.model_file import ModelFile, Normalization
from orilla_runtime.formats.onnx import read_onnx
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.formats.tflite import read_tflite
from orilla_runtime.tasks.fitting import FitOptions, given_normalization, score_count
from orilla_runtime.tasks.fitting_input import image_input
from orilla_runtime.tasks.labels import given_labels

_INSTALL = "Install the desk's packages: pip install 'orilla[desk]'."


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was written: the file, its size and hash, what it says now, and how it was compared with the old one."""

    path: Path
    bytes: int
    sha256: str
    file: ModelFile
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class _Said:
    """What the caller says, checked against the model. `channels`: of its picture."""

    labels: tuple[str, ...] | None
    normalization: Normalization | None
    channels: str
    texts: Mapping[str, str]


def annotate(
    path: str | Path,
    *,
    output: str | Path | None = None,
    labels: str | Path | Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Annotated:
    """Write metadata into a `.tflite` or `.onnx` file; what it has already stays, replaced key by key.

    Args:
        path: the model. output: where to write; by default in its place.
        labels: a text file (one name a line) or the names, one for each output of a classifier.
        mean, std: `(pixel - mean) / std` on pixels of 0..255, one value or one a channel.
        texts: TFLite: `name`, `description`, `version`, `author`, `license`. ONNX: any key of `metadata_props`;
            `description` is the `doc_string`.

    Raises:
        ModelError: no model file, or one that labels or a normalization do not fit.
        UsageError: nothing to write, impossible values, a bundle.
        ConversionError: the new file is not the same model; nothing was written.
        SinkError: it cannot be written; an old file is as it was.
    """
    source = Path(path)
    if is_bundle(source):
        raise UsageError(
            f"{source} is a bundle: labels and preprocessing are in its manifest.",
            "Export an artifact first (orilla export), or convert the model again.",
        )
    data = read_bytes(source)
    file = read_model(data, source.name)
    said = _checked(file, source.name, labels, FitOptions(mean=mean, std=std), dict(texts or {}))
    target = source.resolve() if output is None else Path(output)
    try:
        new = _tflite(data, said, source.name) if file.format == "tflite" else _onnx(data, said, source, target)
        _require_same_weights(data, new, file.format, source.name)
    except DamagedFileError as error:
        raise ModelError(f"{source.name}: the file is damaged or cut ({error}).", "Get it again.") from error
    _require_readable(new, said, source.name)
    comparison = compare(data, new, file, source.name)
    with replaced(target) as part:
        part.write_bytes(new)
        if target.exists():
            shutil.copymode(target, part)
    return Annotated(target, len(new), hashlib.sha256(new).hexdigest(), read_model(new, target.name), comparison)


def _checked(
    file: ModelFile, name: str, labels: str | Path | Sequence[str] | None, options: FitOptions, texts: Mapping[str, str]
) -> _Said:
    if labels is None and not options.given() and not texts:
        raise UsageError("There is nothing to write.", "Give --labels, --mean and --std, or --set KEY=VALUE.")
    for key, value in texts.items():
        if not key or not (key + value).isprintable():
            raise UsageError(f"{key!r} and {value!r} cannot be written.", "Use printable text for --set KEY=VALUE.")
    names = None if labels is None else given_labels(labels)
    if names is not None:
        _require_one_each(names, file, name)
    normalization, channels = None, "rgb"
    if options.given():
        image = image_input(file, name)
        normalization = given_normalization(options, image)
        channels = "grey" if image.depth == 1 else "rgb"
    return _Said(names, normalization, channels, texts)


def _require_one_each(labels: tuple[str, ...], file: ModelFile, name: str) -> None:
    try:
        classes = score_count(file, name)
    except ModelError as error:
        raise ModelError(error.message, "Labels name the scores of a classifier: leave --labels out.") from error
    if classes != len(labels):
        raise ModelError(
            f"{name} has {classes} outputs and there are {len(labels)} labels.",
            "Give one label for each output, with a line for a background class where the model has one.",
        )


def _tflite(data: bytes, said: _Said, name: str) -> bytes:
    if find_spec("flatbuffers") is None:
        raise EngineError("The package flatbuffers, which writes TFLite metadata, is not installed.", _INSTALL)
    unknown = [key for key in said.texts if key not in TEXTS]
    if unknown:
        raise UsageError(
            f"TFLite metadata have no key {unknown[0]!r}.", f"A .tflite file takes --set with {', '.join(TEXTS)}."
        )
    old = metadata_of(data)
    record = with_texts(decode_metadata(old, name) if old is not None else {}, said.texts)
    graph = read_tflite(data, name).graph
    ports = [port.spec.name for port in graph.inputs], [port.spec.name for port in graph.outputs]
    _, files = split(data)
    if said.normalization is not None:
        record = with_normalization(record, *ports, said.normalization, said.channels)
    if said.labels is not None:
        record, packed = with_labels(record, *ports)
        files[packed] = label_lines(said.labels)
    absent = sorted(files_named(record) - set(files))
    if absent:
        raise ModelError(
            f"{name}: its metadata name {', '.join(absent[:3])}, and that is not in it: it was cut, or never packed.",
            "Get the whole file, or give the labels (--labels).",
        )
    return with_metadata(data, encode_metadata(record), files, name)


def _onnx(data: bytes, said: _Said, source: Path, target: Path) -> bytes:
    outside = read_onnx(data, source.name).external
    if outside and target.resolve().parent != source.resolve().parent:
        raise UsageError(
            f"{source} keeps weights in other files ({', '.join(outside[:3])}), which it finds beside itself alone.",
            "Write into the same folder.",
        )
    properties = {key: value for key, value in said.texts.items() if key != "description"}
    if said.labels is not None:
        properties["orilla.labels"] = json.dumps(said.labels, ensure_ascii=False)
    if said.normalization is not None:
        properties["orilla.mean"] = json.dumps(said.normalization.mean)
        properties["orilla.std"] = json.dumps(said.normalization.std)
    return with_properties(data, properties, said.texts.get("description"), source.name)


def _require_same_weights(old: bytes, new: bytes, format_: str, name: str) -> None:
    if format_ == "tflite":
        before, after = buffers(old), buffers(new)
        # Where it was annotated before, the last buffer holds those metadata.
        count = len(buffers(split(old)[0]))
        same = before[:count] == after[:count] and len(after) == count + 1
    else:
        same = graph_of(old) == graph_of(new)
    if not same:
        raise ConversionError(f"{name}: the new file has other weights; nothing was written.", "Please report this.")


def _require_readable(new: bytes, said: _Said, name: str) -> None:
    found = read_model(new, name)
    labels = None if said.labels is None else tuple(" ".join(label.split()) for label in said.labels)
    if labels is not None and tuple(" ".join(label.split()) for label in found.labels or ()) != labels:
        raise ConversionError(f"{name}: the labels do not read back; nothing was written.", "Please report this.")
    if said.normalization is not None and found.normalization is None:
        raise ConversionError(f"{name}: the normalization does not read back; nothing was written.")
