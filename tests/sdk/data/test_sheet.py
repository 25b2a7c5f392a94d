"""Contact sheets: every class has one, on which its pictures can be seen, upright and in their colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.data.sheet import chosen, write_sheets
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import LabelledImages, read_labelled

COLOURS = {"blue": (255, 0, 0), "green": (0, 255, 0), "red/ish": (0, 0, 255)}


def shows(sheet: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour, np.uint8)).all(axis=2).sum())


def read(path: Path) -> NDArray[np.uint8]:
    sheet = cv2.imread(str(path))
    assert sheet is not None
    return np.asarray(sheet, np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> LabelledImages:
    """Three classes of 5 plain pictures, 64x20; one label cannot be a file's name."""
    lines = ["path,label"]
    for name, colour in COLOURS.items():
        for index in range(5):
            path = tmp_path / f"{name[0]}{index}.png"
            cv2.imwrite(str(path), np.full((20, 64, 3), colour, np.uint8))
            lines.append(f"{path.name},{name}")
    (tmp_path / "labels.csv").write_text("\n".join(lines), "utf-8")
    return read_labelled(tmp_path / "labels.csv")


def test_a_sheet_a_class_and_an_overview(images: LabelledImages, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    sheets = write_sheets(images, tmp_path / "sheets", side=64, progress=lambda *done: seen.append(done))
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {
        "overview.png",
        "class-blue.png",
        "class-green.png",
        "class-red_ish.png",
    }
    for name, colour in COLOURS.items():
        sheet = read(sheets.classes[name])
        assert shows(sheet, colour) == 5 * 64 * 20
        assert all(shows(sheet, other) == 0 for other in COLOURS.values() if other != colour)
        assert shows(read(sheets.overview), colour) == 5 * 64 * 20
    assert seen[-1] == (3, 4)


def test_what_cannot_be_read_is_marked_and_the_rest_is_shown(images: LabelledImages, tmp_path: Path) -> None:
    (tmp_path / "b2.png").write_bytes(b"no picture")
    sheets = write_sheets(images, tmp_path / "sheets", side=64)
    assert sheets.unreadable == (tmp_path / "b2.png",)
    whole, marked = read(sheets.classes["green"]), read(sheets.classes["blue"])
    assert whole.shape == marked.shape
    assert shows(marked, COLOURS["blue"]) == 4 * 64 * 20
    assert shows(marked, (60, 178, 255)) > 100 > shows(whole, (60, 178, 255))


def test_pictures_are_upright(unzipped: Callable[[str], Path], tmp_path: Path) -> None:
    files = unzipped("odd_images.zip") / "files"
    cells = []
    for number in (1, 6):
        one = LabelledImages(files, (Path(f"exif_orientation_{number}.jpg"),), None, None)
        sheet = read(write_sheets(one, tmp_path / str(number), side=128).classes["all pictures"])
        cells.append(sheet[64 : 64 + 128, 20 : 20 + 128].astype(int))
    assert np.abs(cells[0] - cells[1]).mean() < 3


def test_small_pictures_show_their_pixels(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "tiny.png"), picture)
    one = LabelledImages(tmp_path, (Path("tiny.png"),), None, None)
    sheet = read(write_sheets(one, tmp_path / "sheets", side=64).classes["all pictures"])
    np.testing.assert_array_equal(sheet[64 : 64 + 64, 20 : 20 + 64], picture.repeat(8, 0).repeat(8, 1))


def test_pictures_are_spread_evenly_or_drawn_with_a_seed() -> None:
    members = np.arange(100, 200)
    assert chosen(members, 3, None).tolist() == [100, 150, 199]
    drawn = chosen(members, 10, seed=1)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    assert drawn.tolist() == chosen(members, 10, seed=1).tolist() != chosen(members, 10, seed=2).tolist()
    assert chosen(members, 100, 7).tolist() == members.tolist()


def test_labels_that_share_a_file_name_have_two_sheets(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((4, 4, 3), np.uint8))
    two = LabelledImages(tmp_path, (Path("a.png"), Path("b.png")), np.array([0, 1]), ("a/b", "A:B"))
    assert len({path.name.casefold() for path in write_sheets(two, tmp_path / "s").classes.values()}) == 2


@pytest.mark.parametrize("options", [{"count": 0}, {"columns": 41}, {"side": 20}])
def test_numbers_out_of_range_are_refused(options: dict[str, int], images: LabelledImages, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_sheets(images, tmp_path / "sheets", **options)


def test_a_folder_that_cannot_be_made_is_named(images: LabelledImages, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        write_sheets(images, tmp_path / "nowhere" / "sheets")
