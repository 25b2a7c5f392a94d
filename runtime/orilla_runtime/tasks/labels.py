"""The class names of a bare model: given by the caller, or inside the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orilla_runtime.errors import ModelError, UsageError
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.text import lines_of

_LONGEST = 64 << 20


def given_labels(labels: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names from a text file (one a line) or a sequence.

    Raises:
        UsageError: no such file, no names in it, or an empty name.
    """
    if isinstance(labels, str | Path):
        return _required(_read(Path(labels)), str(labels))
    names = tuple(labels)
    if not all(isinstance(name, str) for name in names):
        raise UsageError("labels must be texts.", "Give a list of names in class order, or the path of a text file.")
    return _required(names, "labels")


def labels_inside(file: ModelFile, classes: int, name: str) -> tuple[str, ...] | None:
    """The names that the file ties to its output; else those of the only text file with a line for each class.

    Raises:
        ModelError: a name is empty.
    """
    found = file.labels
    if found is None:
        fitting = [lines for lines in file.label_files.values() if len(lines) == classes]
        found = fitting[0] if len(fitting) == 1 else None
    if found is not None and not all(found):
        line = found.index("") + 1
        raise ModelError(f"{name}: line {line} of the labels inside is empty.", "Give the names yourself (--labels).")
    return found


def _read(path: Path) -> tuple[str, ...]:
    try:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such label file.", "Give a text file, one class name a line.")
        if path.stat().st_size > _LONGEST:
            raise UsageError(f"{path} is too large for a label file.", "Give a text file, one class name a line.")
        return lines_of(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", "Check its permissions.") from error


def _required(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    if not names:
        raise UsageError(f"{where}: no class names in it.", "Give one class name a line, in class order.")
    if not all(name.strip() for name in names):
        line = [bool(name.strip()) for name in names].index(False) + 1
        raise UsageError(f"{where}: line {line} is empty.", "Give every class a name; a blank line would shift them.")
    return names
