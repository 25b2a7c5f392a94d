"""The card of a Keras model made by Orilla: `orilla.json` inside the `.keras` file.

It says what Keras does not know: the class names, how a picture becomes the input, and on which pictures the model was
trained. Keras ignores the entry, so the file stays an ordinary `.keras` file.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from orilla_runtime.errors import DataError, OrillaError
from orilla_runtime.files import replaced
from orilla_runtime.preprocess import Preprocess

ENTRY = "orilla.json"
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
MAX_LABELS = 100_000
OUTPUTS = ("probabilities", "logits")
_TUPLES = ("size", "scale", "offset")


@dataclass(frozen=True, slots=True)
class KerasCard:
    """What a `.keras` file of Orilla says of itself.

    labels: class names in class order. preprocess: how a picture becomes the uint8 tensor that the model takes as raw
    pixels. output: what the model gives, `probabilities` or `logits`. training: plain JSON; `data_digest` and `split`
    (`train`, `validation`, `test`: relative paths) let a conversion keep its calibration off the test pictures.
    """

    labels: tuple[str, ...]
    preprocess: Preprocess
    output: str = "probabilities"
    training: Mapping[str, Any] = field(default_factory=dict)


def write_card(path: str | Path, card: KerasCard) -> None:
    """Put the card into an existing `.keras` file, in place of an older one.

    Raises:
        DataError: no such file, not a `.keras` file, or a card that cannot be written as JSON.
        SinkError: the file could not be written; the old one is untouched.
    """
    path = Path(path)
    content = _encode(card, path)
    with _opened(path) as source, replaced(path) as part, zipfile.ZipFile(part, "w") as target:
        for entry in source.infolist():
            if entry.filename != ENTRY:
                _copy(source, entry, target)
        target.writestr(zipfile.ZipInfo(ENTRY, (1980, 1, 1, 0, 0, 0)), content)


def read_card(path: str | Path) -> KerasCard | None:
    """The card of a `.keras` file, or None where the file has none.

    Raises:
        DataError: no such file, not a `.keras` file, or a damaged card.
    """
    path = Path(path)
    with _opened(path) as archive:
        try:
            entry = archive.getinfo(ENTRY)
        except KeyError:
            return None
        try:
            with archive.open(entry) as file:
                content = file.read(MAX_BYTES + 1)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise _damaged(path, f"{ENTRY} cannot be read ({error})") from error
    if len(content) > MAX_BYTES:
        raise _damaged(path, f"{ENTRY} is larger than {MAX_BYTES} bytes")
    return _decode(content, path)


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", "Give the path of a .keras file.")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a .keras file: {error}.", "Save the model again with model.save('NAME.keras')."
        ) from error
    if "config.json" not in archive.namelist():
        archive.close()
        raise DataError(
            f"{path} is a zip file but no .keras file: it has no config.json.",
            "Save the model again with model.save('NAME.keras').",
        )
    return archive


def _copy(source: zipfile.ZipFile, entry: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    plain = zipfile.ZipInfo(entry.filename, entry.date_time)
    plain.compress_type = entry.compress_type
    plain.external_attr = entry.external_attr
    large = entry.file_size > 1 << 31
    with source.open(entry) as reader, target.open(plain, "w", force_zip64=large) as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)


def _encode(card: KerasCard, path: Path) -> bytes:
    data = {
        "version": VERSION,
        "labels": list(card.labels),
        "preprocess": asdict(card.preprocess),
        "output": card.output,
        "training": dict(card.training),
    }
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: its card is no plain JSON: {error}.", "Keep numbers, texts and lists in it."
        ) from error
    # A picture's name that is no UTF-8 holds lone surrogates: JSON has escapes for them.
    content = text.encode("utf-8", "backslashreplace")
    _decode(content, path)
    return content


def _decode(content: bytes, path: Path) -> KerasCard:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"{ENTRY} is not JSON") from error
    if not isinstance(data, dict):
        raise _damaged(path, f"{ENTRY} is not an object")
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DataError(f"{path}: its card has version {version}; this Orilla knows {VERSION}.", "Update Orilla.")
    output, training = data.get("output"), data.get("training")
    if version != VERSION or output not in OUTPUTS or not isinstance(training, dict):
        raise _damaged(path, f"{ENTRY} lacks version, output or training")
    return KerasCard(_labels(data.get("labels"), path), _preprocess(data.get("preprocess"), path), output, training)


def _labels(value: Any, path: Path) -> tuple[str, ...]:
    fits = isinstance(value, list) and 1 <= len(value) <= MAX_LABELS
    if not fits or not all(isinstance(label, str) and label.strip() for label in value):
        raise _damaged(path, f"{ENTRY} has no list of class names")
    return tuple(value)


def _preprocess(value: Any, path: Path) -> Preprocess:
    known = {field.name for field in fields(Preprocess)}
    if not isinstance(value, dict) or not set(value) <= known or "size" not in value:
        raise _damaged(path, f"{ENTRY} has no valid preprocess")
    try:
        values: dict[str, Any] = {name: tuple(item) if name in _TUPLES else item for name, item in value.items()}
        return Preprocess(**values)
    except (TypeError, ValueError, OrillaError) as error:
        raise _damaged(path, f"{ENTRY} has no valid preprocess") from error


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} is damaged: {what}.", "Train the model again, or take another copy of the file.")
