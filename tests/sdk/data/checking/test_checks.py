"""What `check_data` finds, and what it must not find, on pictures that were made wrong on purpose and on real ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.data.checking.checks import DataCheck, check_data
from orilla.data.split import Split, split_images
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import read_labelled

PER_CLASS = 20
Check = Callable[..., DataCheck]


def scene(seed: int, width: int = 96, height: int = 72) -> NDArray[np.uint8]:
    """A picture of soft shapes, like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def write(path: Path, picture: NDArray[np.uint8], quality: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else [])
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of pictures that are all different, with nothing to find."""
    for index in range(2 * PER_CLASS):
        write(tmp_path / "data" / ("nut", "bolt")[index % 2] / f"{index:02}.jpg", scene(index))
    return tmp_path / "data"


@pytest.fixture
def check(data: Path) -> Check:
    return lambda *others, **options: check_data(read_labelled(data), *others, **options)


def paths(found: DataCheck, code: str) -> list[tuple[str, ...]]:
    finding = found.finding(code)
    return [] if finding is None else list(finding.groups)


def test_a_set_in_order_has_nothing_to_find(check: Check) -> None:
    found = check()
    assert found.findings == ()
    assert found.ok
    assert (found.pictures, found.readable, found.formats) == (40, 40, {"JPEG": 40})
    assert [(each.label, each.pictures, each.share) for each in found.classes] == [("bolt", 20, 0.5), ("nut", 20, 0.5)]
    assert found.sizes is not None
    assert (found.sizes.width, found.sizes.short_side) == ((96, 96, 96), (72, 72, 72))
    assert found.sizes.common == ((96, 72, 40),)


def test_a_corrupt_picture_in_the_middle_is_named_and_the_rest_is_looked_at(data: Path, check: Check) -> None:
    whole = (data / "bolt" / "09.jpg").read_bytes()
    (data / "bolt" / "09.jpg").write_bytes(whole[: len(whole) // 2])
    seen: list[tuple[int, int]] = []
    found = check(progress=lambda done, total: seen.append((done, total)))
    finding = found.finding("unreadable")
    assert finding is not None
    assert (finding.severity, finding.paths) == ("error", ("bolt/09.jpg",))
    assert "cut off" in finding.reasons[0]
    assert (found.ok, found.readable, seen[-1]) == (False, 39, (40, 40))


def test_same_pixels_are_duplicates_whatever_the_file(data: Path, check: Check) -> None:
    shutil.copy(data / "nut" / "00.jpg", data / "nut" / "copy.jpg")
    as_png = cv2.imread(str(data / "nut" / "02.jpg"))
    assert as_png is not None
    write(data / "nut" / "other-file.png", as_png)
    found = check()
    assert paths(found, "duplicates") == [("nut/00.jpg", "nut/copy.jpg"), ("nut/02.jpg", "nut/other-file.png")]
    assert found.ok
    assert found.finding("alike") is None


def test_one_picture_under_two_labels_is_an_error(data: Path, check: Check) -> None:
    shutil.copy(data / "nut" / "00.jpg", data / "bolt" / "again.jpg")
    found = check()
    assert paths(found, "two_labels") == [("bolt/again.jpg", "nut/00.jpg")]
    assert not found.ok
    assert found.finding("two_labels").examples() == ("bolt/again.jpg (bolt) = nut/00.jpg (nut)",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda picture: cv2.resize(picture, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
        lambda picture: cv2.convertScaleAbs(picture, alpha=0.9, beta=10),
        lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        lambda picture: picture,
    ],
    ids=["half as large", "larger", "brighter", "grey", "coded again"],
)
def test_a_changed_copy_looks_alike(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], data: Path, check: Check
) -> None:
    write(data / "nut" / "changed.jpg", change(scene(4)), quality=40)
    found = check()
    assert paths(found, "alike") == [("nut/04.jpg", "nut/changed.jpg")]
    assert found.alike_groups == (("nut/04.jpg", "nut/changed.jpg"),)
    assert found.finding("duplicates") is None


def test_what_looks_alike_under_two_labels_is_a_warning(data: Path, check: Check) -> None:
    write(data / "bolt" / "changed.jpg", scene(4), quality=40)
    found = check()
    assert paths(found, "alike_two_labels") == [("bolt/changed.jpg", "nut/04.jpg")]
    assert found.ok


@pytest.mark.parametrize(
    "change",
    [lambda picture: picture[:, ::-1], lambda picture: cv2.rotate(picture, 0), lambda picture: picture[10:-10, 14:-14]],
    ids=["mirrored", "turned", "cropped"],
)
def test_another_view_is_no_copy(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], data: Path, check: Check
) -> None:
    write(data / "nut" / "changed.jpg", change(scene(4)))
    assert check().findings == ()


def test_copies_on_two_sides_of_a_split_are_found(data: Path) -> None:
    shutil.copy(data / "nut" / "00.jpg", data / "nut" / "copy.jpg")
    write(data / "nut" / "changed.jpg", scene(4), quality=40)
    images = read_labelled(data)
    names = sorted(path.as_posix() for path in images.paths)
    test = ("nut/changed.jpg", "nut/copy.jpg")
    leaking = Split(tuple(name for name in names if name not in test), (), test)
    found = check_data(images, leaking)
    assert paths(found, "leak") == [("nut/00.jpg", "nut/copy.jpg")]
    assert paths(found, "alike_leak") == [("nut/04.jpg", "nut/changed.jpg")]
    assert not found.ok
    together = check_data(images, Split(tuple(names), (), ()))
    assert {finding.code for finding in together.findings} == {"duplicates", "alike"}


def test_labels_in_two_spellings_are_a_warning(data: Path, check: Check) -> None:
    for name, seed in (
        ("Bolt", 100),
        ("bo\N{COMBINING DIAERESIS}lt", 130),
        ("b\N{LATIN SMALL LETTER O WITH DIAERESIS}lt", 160),
    ):
        for index in range(10):
            write(data / name / f"{index}.jpg", scene(seed + index))
    finding = check().finding("two_spellings")
    assert finding is not None
    assert finding.severity == "warning"
    assert len(finding.groups) == 2
    assert finding.groups[0] == ("Bolt/0.jpg", "bolt/01.jpg")


def test_classes_with_few_pictures_and_one_with_most_are_warnings(data: Path, check: Check) -> None:
    write(data / "washer" / "only.jpg", scene(100))
    for index in range(60):
        write(data / "nut" / f"more{index}.jpg", scene(200 + index))
    found = check()
    assert paths(found, "too_few") == [("washer/only.jpg",)]
    imbalance = found.finding("imbalance")
    assert imbalance is not None
    assert "79%" in imbalance.text
    assert "'washer' has 1" in imbalance.text
    assert found.ok


def test_blank_tiny_long_and_small_pictures_are_told(data: Path, check: Check) -> None:
    for name in ("black", "black too"):
        write(data / "nut" / f"{name}.png", np.full((72, 96, 3), 4, np.uint8))
    write(data / "nut" / "speck.png", scene(100, 5, 6))
    write(data / "nut" / "strip.png", scene(101, 500, 100))
    found = check(image_size=224)
    assert paths(found, "blank") == [("nut/black too.png",), ("nut/black.png",)]
    assert paths(found, "tiny") == [("nut/speck.png",)]
    assert paths(found, "elongated") == [("nut/strip.png",)]
    assert len(paths(found, "small")) == 43
    assert found.finding("duplicates") is None, "blank pictures have a finding of their own"
    assert check(image_size=96).finding("small") is None


def test_odd_kinds_of_files_are_told(unzipped: Callable[[str], Path]) -> None:
    found = check_data(read_labelled(unzipped("odd_images.zip") / "files", labelled=False))
    assert set(paths(found, "cmyk")) == {("cmyk.jpg",)}
    assert set(paths(found, "alpha")) == {("alpha.png",), ("grey_alpha.png",), ("palette_transparent.png",)}
    assert set(paths(found, "deep")) == {("grey16.png",), ("rgb16.png",)}
    assert {("palette.png",), ("palette_transparent.png",), ("palette.bmp",)} <= set(paths(found, "palette"))
    assert set(paths(found, "turned")) == {(f"exif_orientation_{number}.jpg",) for number in range(2, 9)}
    assert set(paths(found, "several")) == {("animated.gif",), ("animated.webp",), ("two_pages.tiff",)}
    assert set(paths(found, "misnamed")) == {("png_named.jpg",), ("jpeg_named.png",)}
    assert {("grey.png",), ("grey16.png",), ("grey.jpg",)} <= set(paths(found, "grey_and_colour"))
    refused = {path for (path,) in paths(found, "unreadable")}
    assert {"empty.jpg", "truncated_60.jpg", "bad_crc.png", "bomb_30000x30000.png", "text_renamed.jpg"} <= refused
    assert found.classes == ()
    # EXIF is honoured: the eight orientations show one picture.
    [group] = [group for group in found.alike_groups if "exif_orientation_1.jpg" in group]
    assert {f"exif_orientation_{number}.jpg" for number in range(2, 9)} <= set(group)


def test_parts_photographed_twice_are_found_in_real_pictures(unzipped: Callable[[str], Path]) -> None:
    folder = unzipped("magnetic_tile.zip")
    images = read_labelled(folder)
    tiles = images.subset([i for i, path in enumerate(images.paths) if path.parts[0] in {"MT_Crack", "MT_Fray"}])
    found = check_data(tiles, split_images(tiles, seed=0)[0])
    leak = found.finding("alike_leak")
    assert leak is not None
    assert len(leak.groups) > 5
    assert found.finding("duplicates") is None


def test_photos_of_different_animals_are_no_look_alikes(unzipped: Callable[[str], Path]) -> None:
    images = read_labelled(unzipped("cats_dogs_180.zip"))
    assert check_data(images.subset(range(0, len(images), 4))).findings == ()


def test_all_of_it_is_json(data: Path, check: Check) -> None:
    shutil.copy(data / "nut" / "00.jpg", data / "bolt" / "again.jpg")
    told = json.loads(json.dumps(check().as_object(), allow_nan=False))
    assert told["findings"][0]["groups"] == [["bolt/again.jpg", "nut/00.jpg"]]
    assert told["ok"] is False


@pytest.mark.parametrize("options", [{"alike": 0.2}, {"alike": 1.5}, {"image_size": 0}])
def test_values_out_of_range_are_refused(options: dict[str, float], check: Check) -> None:
    with pytest.raises(UsageError):
        check(**options)
