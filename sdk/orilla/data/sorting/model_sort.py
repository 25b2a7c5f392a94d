"""Sorts pictures into a folder a class by what a model says of them; the unsure ones apart."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla.data.checking.grouped_table import path_in_table
from orilla.data.sorting.filing import Filing, How
from orilla.data.sorting.sort import Progress, make_folder, pictures_of
from orilla_runtime.errors import UsageError
from orilla_runtime.files import replaced
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.naming import plain
from orilla_runtime.sources.images import ImagesSource
from orilla_runtime.tasks.classification import Classification

UNSURE = "unsure"
TABLE = "predictions.csv"
THRESHOLD = 0.8
_HEADER = ("path", "label", "score", "margin", "source")


@dataclass(frozen=True, slots=True)
class Predicted:
    """One picture: its label, the score of it, and its lead over the next class; all 0 to 1."""

    picture: Path
    label: str
    folder: str
    score: float
    margin: float


@dataclass(frozen=True, slots=True)
class SortedByModel:
    """What was sorted: folders and how many pictures each got, and the reasons why others could not be read."""

    into: Path
    table: Path
    folders: Mapping[str, int]
    unreadable: tuple[str, ...]

    @property
    def unsure(self) -> int:
        """Pictures that no class was sure enough for."""
        return self.folders.get(UNSURE, 0)


def sort_by_model(
    photos: str | Path,
    model: str | Path,
    into: str | Path,
    *,
    threshold: float = THRESHOLD,
    how: How = "copy",
    progress: Progress | None = None,
    **options: Any,
) -> SortedByModel:
    """File the pictures of a folder into a subfolder of `into` for each class that a model sees in them.

    Pictures whose best score is below `threshold` go to `unsure`. `predictions.csv` has a line for each picture: path
    (of the filed one, relative to the CSV where it can be), label, score, margin (the lead over the next class) and
    source. It is data that `train` and `evaluate` take, once its labels were looked at. What is made is whole, nothing
    is overwritten, and the same call again goes on after an interruption.

    A folder has the label's name, with what no file system takes replaced by `_`; labels that would share a folder get
    their number.

    Args:
        photos: a folder of pictures, also in subfolders.
        model: a bundle, or a bare model with the options that it needs.
        into: made where there is none.
        threshold: 0 to 1.
        how: `copy`, `link` (hard links) or `move`.
        progress: called with (pictures done, all of them).
        options: as `orilla.load` takes them.

    Raises:
        UsageError: a threshold out of range, or a model that is no classifier or has a class `unsure`.
        DataError: a folder that is not in order.
        SinkError: a file cannot be made.
    """
    photos, into = Path(photos), Path(into)
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} is not possible.", "Give 0 to 1.")
    pictures = pictures_of(photos, never=into)
    with ExitStack() as stack:
        loaded = stack.enter_context(load(model, **{**options, "top": 2}))
        folders = folder_names(loaded)
        make_folder(into)
        _written(into / TABLE)
        unreadable = _Unreadable()
        pipeline = stack.enter_context(Pipeline(loaded, [ImagesSource(pictures, name=str(photos))], [unreadable]))
        filing = Filing(into, how)
        lines: list[tuple[Path, Predicted]] = []
        try:
            for predicted in _predictions(pipeline, folders, threshold):
                lines.append((filing.file(predicted.picture, predicted.folder), predicted))
                if progress:
                    progress(len(lines) + len(unreadable.reasons), len(pictures))
        finally:  # Also of what was filed before an interruption the scores are kept.
            _write(into / TABLE, lines)
        filing.finish()
    counted = Counter(predicted.folder for _, predicted in lines)
    return SortedByModel(into, into / TABLE, dict(sorted(counted.items())), tuple(unreadable.reasons))


def folder_names(model: Model) -> tuple[str, ...]:
    """The folder of each class, in class order, all different also where capitals do not count.

    Raises:
        UsageError: the model is no classifier of pictures, or has a class whose folder would be `unsure`.
    """
    if not model.labels or model.preprocess is None:
        raise UsageError(f"{model.path} is no classifier of pictures.", "Give a bundle that `orilla convert` made.")
    names = [plain(label, f"class-{class_id}") for class_id, label in enumerate(model.labels)]
    folded = [name.casefold() for name in names]
    if UNSURE in folded:
        raise UsageError(
            f"{model.path} has a class {names[folded.index(UNSURE)]!r}, where unsure pictures go.", "Rename the class."
        )
    return tuple(
        name if folded.count(name.casefold()) == 1 else f"{name}-{class_id}" for class_id, name in enumerate(names)
    )


def _predictions(pipeline: Pipeline, folders: tuple[str, ...], threshold: float) -> Iterator[Predicted]:
    for frame, result in pipeline:
        assert isinstance(result, Classification)
        best = result.top
        second = result.predictions[1].score if len(result.predictions) > 1 else 0.0
        folder = folders[best.class_id] if best.score >= threshold else UNSURE
        yield Predicted(Path(frame.source), best.label, folder, best.score, best.score - second)


def _write(table: Path, lines: list[tuple[Path, Predicted]]) -> None:
    """Write the table anew; lines of an earlier job about other pictures stay."""
    rows = {path_in_table(filed, table): each for filed, each in lines}
    kept = [row for row in _written(table) if row[0] not in rows]
    with replaced(table) as part, part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(kept)
        for path, each in rows.items():
            writer.writerow((path, each.label, f"{each.score:.4f}", f"{each.margin:.4f}", str(each.picture)))


def _written(table: Path) -> list[list[str]]:
    if not table.exists():
        return []
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    if tuple(header) != _HEADER:
        raise UsageError(f"{table} is there, and not from sorting.", "Give another folder with --into.")
    return [row for row in rows if len(row) == len(_HEADER)]


class _Unreadable:
    """Keeps the reasons of every picture that could not be read; implements `Sink`."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def write(self, record: Record) -> None:
        """Keep the reason of a failure."""
        if record.failure is not None:
            self.reasons.append(record.failure.error)

    def finish(self, counts: Counts) -> None:
        """All is kept already."""

    def close(self) -> None:
        """Nothing is held open."""
