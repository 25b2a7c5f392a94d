"""Contact sheets: what the pictures of a class look like, on one page that a person takes in at a glance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.data.lettering import BACK, CELL, DIM, TEXT, WARNING, text_width, write_text
from orilla_runtime.engines.selection import usable_cpus
from orilla_runtime.errors import DataError, SourceError, UsageError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.sinks.naming import plain
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.picture import read_picture

_GAP, _MARGIN, _HEAD, _CAPTION = 8, 20, 44, 20
_OVERVIEW_COLUMNS, _OVERVIEW_ROWS, _OVERVIEW_SIDE = 10, 60, 96
_LABEL = (110, 240)
_LEAST_SIDE, _MOST_SIDE, _MOST = 32, 512, 400


@dataclass(frozen=True, slots=True)
class Sheets:
    """The files that were written; `unreadable` are the pictures of them that are marked as such."""

    overview: Path
    classes: dict[str, Path]
    unreadable: tuple[Path, ...]


def write_sheets(
    images: LabelledImages,
    folder: Path,
    *,
    count: int = 48,
    columns: int = 8,
    side: int = 128,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sheets:
    """Write `overview.png` with a row a class, and `class-NAME.png` for each class (`all.png` without labels).

    Pictures are upright (EXIF) and whole; small ones are enlarged by whole factors, so that their pixels show. What
    cannot be read has a marked cell. Files of the same names are replaced.

    Args:
        folder: made where there is none; its parent must be there.
        count: pictures on a class's sheet at most, 1 to 400.
        columns: pictures in a row, 1 to 40.
        side: of a cell in pixels, 32 to 512; on the overview at most 96.
        seed: with one, pictures are drawn at random with it; without, they are evenly spread over the class.
        progress: called with (sheets done, all of them).

    Raises:
        UsageError: a number out of range.
        DataError: the folder cannot be made.
        SinkError: a sheet cannot be written.
    """
    for name, value, least, most in (("count", count, 1, _MOST), ("columns", columns, 1, 40)):
        if not least <= value <= most:
            raise UsageError(f"{name}={value} is not possible.", f"Give {least} to {most}.")
    if not _LEAST_SIDE <= side <= _MOST_SIDE:
        raise UsageError(f"side={side} is not possible.", f"Give {_LEAST_SIDE} to {_MOST_SIDE} pixels.")
    _make(folder)
    classes = _members(images)
    names = _file_names([label for label, _ in classes], labelled=images.class_ids is not None)
    unreadable: dict[Path, None] = {}
    written: dict[str, Path] = {}
    rows: list[Image] = []
    small = min(side, _OVERVIEW_SIDE)
    room = _room_for([label for label, _ in classes])
    with ThreadPoolExecutor(usable_cpus(), thread_name_prefix="orilla-sheet") as pool:
        for (label, members), name in zip(classes, names, strict=True):
            cells = list(pool.map(_Reader(images, side), chosen(members, count, seed).tolist()))
            few = list(pool.map(_Reader(images, small), chosen(members, _OVERVIEW_COLUMNS, seed).tolist()))
            unreadable.update((cell.path, None) for cell in (*cells, *few) if cell.picture is None)
            written[label] = folder / name
            _write(written[label], _class_sheet(label, len(members), cells, min(columns, len(cells)), side))
            if len(rows) < _OVERVIEW_ROWS:
                rows.append(_overview_row(label, len(members), few, small, room))
            if progress:
                progress(len(written), len(classes) + 1)
    overview = folder / "overview.png"
    _write(overview, _overview(images, rows, len(classes)))
    return Sheets(overview, written, tuple(unreadable))


def chosen(members: NDArray[np.int64], count: int, seed: int | None) -> NDArray[np.int64]:
    """At most `count` of `members`, ascending: evenly spread, or drawn with a seed."""
    if len(members) <= count:
        return members
    if seed is not None:
        return np.sort(np.random.default_rng(seed).choice(members, count, replace=False))
    return members[np.linspace(0, len(members) - 1, count).round().astype(np.int64)]


@dataclass(frozen=True, slots=True)
class _Cell:
    path: Path
    picture: Image | None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes the cell of a picture: what fits into a square of `side` pixels."""

    images: LabelledImages
    side: int

    def __call__(self, place: int) -> _Cell:
        path = self.images.full_path(place)
        try:
            return _Cell(path, _fitted(read_picture(path), self.side))
        except SourceError:
            return _Cell(path, None)


def _fitted(picture: Image, side: int) -> Image:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 2:
        factor = int(scale)
        return np.asarray(
            cv2.resize(picture, (width * factor, height * factor), interpolation=cv2.INTER_NEAREST), np.uint8
        )
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _members(images: LabelledImages) -> list[tuple[str, NDArray[np.int64]]]:
    if images.class_ids is None:
        return [("all pictures", np.arange(len(images)))]
    ids = np.unique(images.class_ids)
    return [
        (images.label(int(np.flatnonzero(images.class_ids == i)[0])) or str(i), np.flatnonzero(images.class_ids == i))
        for i in ids
    ]


def _file_names(labels: Sequence[str], *, labelled: bool) -> list[str]:
    """A name for each class; names that would be the same on some file system get the class's number."""
    if not labelled:
        return ["all.png"]
    stems = [plain(label, "class").replace(" ", "-") for label in labels]
    folded = [stem.casefold() for stem in stems]
    return [
        f"class-{stem}.png" if folded.count(stem.casefold()) == 1 else f"class-{stem}-{number}.png"
        for number, stem in enumerate(stems)
    ]


def _class_sheet(label: str, count: int, cells: Sequence[_Cell], columns: int, side: int) -> Image:
    rows = -(-len(cells) // columns)
    width = max(2 * _MARGIN + columns * side + (columns - 1) * _GAP, 360)
    height = _HEAD + _MARGIN + rows * (side + _CAPTION) + (rows - 1) * _GAP + _MARGIN
    sheet = np.full((height, width, 3), BACK, np.uint8)
    shown = f"{count:,} pictures" if len(cells) == count else f"{len(cells)} of {count:,} pictures"
    _headline(sheet, label, "1 picture" if count == 1 else shown)
    for place, cell in enumerate(cells):
        top = _HEAD + _MARGIN + place // columns * (side + _CAPTION + _GAP)
        left = _MARGIN + place % columns * (side + _GAP)
        _put(sheet, cell, top, left, side)
        write_text(sheet, cell.path.name, (left, top + side + _CAPTION - 6), 9, DIM, side, shorten="middle")
    return sheet


def _headline(sheet: Image, title: str, beside: str) -> None:
    used = write_text(sheet, title, (_MARGIN, 40), 17, TEXT, sheet.shape[1] - 2 * _MARGIN - 150, bold=True)
    write_text(sheet, beside, (_MARGIN + used + 16, 40), 12, DIM, sheet.shape[1] - _MARGIN - used - 16)


def _put(sheet: Image, cell: _Cell, top: int, left: int, side: int) -> None:
    sheet[top : top + side, left : left + side] = CELL
    if cell.picture is None:
        inset = side // 4
        for start, end in (
            ((inset, inset), (side - inset, side - inset)),
            ((side - inset, inset), (inset, side - inset)),
        ):
            a, b = (left + start[0], top + start[1]), (left + end[0], top + end[1])
            cv2.line(sheet, a, b, WARNING, max(2, side // 40), cv2.LINE_AA)
        cv2.rectangle(sheet, (left, top), (left + side - 1, top + side - 1), WARNING, 1)
        if side >= 80:
            text = "cannot be read"
            centred = left + (side - text_width(text, 9)) // 2
            write_text(sheet, text, (centred, top + side - 12), 9, WARNING, side)
        return
    height, width = cell.picture.shape[:2]
    down, right = top + (side - height) // 2, left + (side - width) // 2
    sheet[down : down + height, right : right + width] = cell.picture


def _room_for(labels: Sequence[str]) -> int:
    """Pixels for the labels on the left of an overview, within reason."""
    widest = max(text_width(label, 13, bold=True) for label in labels[:_OVERVIEW_ROWS])
    return int(np.clip(widest + 24, *_LABEL))


def _overview_row(label: str, count: int, cells: Sequence[_Cell], side: int, room: int) -> Image:
    width = room + _OVERVIEW_COLUMNS * (side + _GAP) - _GAP
    row = np.full((side, width, 3), BACK, np.uint8)
    write_text(row, label, (0, side // 2 - 4), 13, TEXT, room - 16, bold=True)
    write_text(row, "1 picture" if count == 1 else f"{count:,} pictures", (0, side // 2 + 18), 10, DIM, room - 16)
    for place, cell in enumerate(cells):
        _put(row, cell, 0, room + place * (side + _GAP), side)
    return row


def _overview(images: LabelledImages, rows: Sequence[Image], classes: int) -> Image:
    width = rows[0].shape[1] + 2 * _MARGIN
    more = classes - len(rows)
    side = rows[0].shape[0]
    height = _HEAD + _MARGIN + len(rows) * (side + _GAP) - _GAP + _MARGIN + (30 if more else 0)
    sheet = np.full((height, width, 3), BACK, np.uint8)
    kinds = f", {classes:,} classes" if images.class_ids is not None else ""
    _headline(sheet, images.root.absolute().name, f"{len(images):,} pictures{kinds}")
    for place, row in enumerate(rows):
        top = _HEAD + _MARGIN + place * (side + _GAP)
        sheet[top : top + row.shape[0], _MARGIN : _MARGIN + row.shape[1]] = row
    if more:
        write_text(sheet, f"... and {more:,} more classes", (_MARGIN, height - _MARGIN), 12, DIM, width - 2 * _MARGIN)
    return sheet


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be made: {error.strerror or error}.", "Give a folder in one that is there."
        ) from error


def _write(path: Path, sheet: Image) -> None:
    with replaced(path) as part:
        part.write_bytes(cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes())
