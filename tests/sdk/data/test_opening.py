"""Data by any name: arrays become files once, with the same pixels, and what is not in order is refused by name."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orilla.converting import convert
from orilla.data.opening import data_file, is_labelled_arrays, open_data
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.sources.picture import read_picture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and where sets are unpacked in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "orilla" / "data"


def _npz(path: Path, /, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def _pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _read(images: LabelledImages, place: int) -> NDArray[np.uint8]:
    """The picture's file as RGB, or as grey where it is one."""
    picture = cv2.imread(str(images.full_path(place)), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def test_the_real_digits_keep_every_pixel(shared_data: Path, tmp_path: Path, cache: Path) -> None:
    assert is_labelled_arrays(shared_data / "mnist_5k.npz")
    with np.load(shared_data / "mnist_5k.npz") as arrays:
        few = {name: array[::10] for name, array in arrays.items()}
    file = _npz(tmp_path / "few.npz", **few)
    images = open_data(file)
    assert images.classes == tuple("0123456789")
    assert [images.label(place) for place in range(500)] == [str(label) for label in few["labels"]]
    assert images.columns == {"source_index": tuple(str(index) for index in few["source_index"])}
    for place in range(500):
        np.testing.assert_array_equal(_read(images, place), few["images"][place])
    assert [path.name for path in cache.iterdir()] == [images.root.name]
    written = (images.root / "labels.csv").stat().st_mtime_ns
    assert open_data(file).root == images.root
    assert (images.root / "labels.csv").stat().st_mtime_ns == written


def test_coded_pictures_stay_as_they_are(shared_data: Path, tmp_path: Path) -> None:
    with np.load(shared_data / "cifar10_subset.npz") as arrays:
        few = {"class_names": arrays["class_names"]}
        for part, count in (("train", 60), ("test", 20)):
            ends = arrays[f"{part}_offsets"][: count + 1]
            few |= {f"{part}_offsets": ends, f"{part}_labels": arrays[f"{part}_labels"][:count]}
            few[f"{part}_jpeg"] = arrays[f"{part}_jpeg"][: ends[-1]]
    images = open_data(_npz(tmp_path / "few.npz", **few))
    assert Counter(images.columns["split"]) == {"train": 60, "test": 20}
    assert [images.label(60 + place) for place in range(20)] == [
        str(few["class_names"][class_id]) for class_id in few["test_labels"]
    ]
    begin, end = few["test_offsets"][7:9]
    assert images.full_path(67).read_bytes() == few["test_jpeg"][begin:end].tobytes()
    assert read_picture(images.full_path(67)).shape == (32, 32, 3)


@pytest.mark.parametrize("depth", [(), (1,), (3,), (4,)])
def test_the_layout_of_keras(tmp_path: Path, depth: tuple[int, ...]) -> None:
    train, test, more = (_pixels((count, 5, 7, *depth)) for count in (6, 3, 2))
    file = _npz(
        tmp_path / "set.npz",
        **{"x_train": train, "y_train": np.arange(6)[:, None] % 3},
        **{"x_test": test, "y_test": np.array(["2", "0", "b c"]), "x_val": more, "y_val": np.array([b"1", b"0"])},
    )
    images = open_data(file)
    assert images.classes == ("0", "1", "2", "b c")
    assert images.columns["split"] == ("train",) * 6 + ("validation",) * 2 + ("test",) * 3
    expected = [*train, *more, *test]
    for place, pixels in enumerate(expected):
        read = cv2.imread(str(images.full_path(place)), cv2.IMREAD_UNCHANGED)
        assert read is not None
        if depth == (4,):
            pixels = pixels[..., [2, 1, 0, 3]]
        elif depth == (3,):
            pixels = pixels[..., ::-1]
        np.testing.assert_array_equal(read, pixels.reshape(read.shape))


def test_names_splits_and_columns_of_arrays(tmp_path: Path) -> None:
    file = _npz(
        tmp_path / "set.npz",
        images=_pixels((3, 4, 4)),
        labels=np.array([1, 0, 1]),
        class_names=np.array(["T-shirt/top", "../etc"]),
        split=np.array(["train", "train", "test"]),
        group=np.array(["a", "a,\nb", " c "]),
        weights=np.array([0.5, 1, 2]),
        path=np.array(["x", "y", "z"]),
        other=np.zeros((3, 2)),
    )
    images = open_data(file)
    assert images.classes == ("../etc", "T-shirt/top")
    assert images.columns == {
        "split": ("train", "train", "test"),
        "group": ("a", "a,\\nb", "c"),
        "weights": ("0.5", "1.0", "2.0"),
    }
    assert [path.as_posix() for path in images.paths] == [
        "train/etc/0.png",
        "train/T-shirt_top/1.png",
        "test/etc/2.png",
    ]


def test_arrays_are_never_all_in_memory(tmp_path: Path) -> None:
    pixels = _pixels((300, 128, 128, 3))
    file = tmp_path / "set.npz"
    np.savez(file, images=pixels, labels=np.arange(300) % 2)
    tracemalloc.start()
    assert len(open_data(file)) == 300
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < pixels.nbytes / 2


def test_a_cache_that_was_damaged_is_made_again(tmp_path: Path, cache: Path) -> None:
    file = _npz(tmp_path / "set.npz", images=_pixels((3, 4, 4)), labels=np.arange(3))
    images = open_data(file)
    (images.root / "labels.csv").unlink()
    (killed := cache / ".0123.part").mkdir()
    (killed / "0.png").touch()
    os.utime(killed, (0, 0))
    (running := cache / ".4567.part").mkdir()
    assert len(open_data(file)) == 3
    assert sorted(path.name for path in cache.iterdir()) == [running.name, images.root.name]


def test_an_interruption_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    file = _npz(tmp_path / "set.npz", images=_pixels((200, 4, 4)), labels=np.arange(200))

    def stop(count: int) -> None:
        assert count == 64
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data_file(file, told=stop)
    assert list(cache.iterdir()) == []
    assert len(open_data(file)) == 200


def test_the_data_of_a_conversion_may_be_arrays(tmp_path: Path, cache: Path) -> None:
    file = _npz(tmp_path / "set.npz", images=_pixels((3, 4, 4)), labels=np.arange(3))
    with pytest.raises(DataError, match=r"gone\.keras"):
        convert(tmp_path / "gone.keras", data=file, output=tmp_path / "out.orilla")
    assert len(list(cache.glob("*/labels.csv"))) == 1
    with pytest.raises(DataError, match=r"gone\.keras"):
        convert(
            tmp_path / "gone.keras",
            data=_npz(tmp_path / "inputs.npz", left=_pixels((3, 4, 4)), right=np.arange(3)),
            output=tmp_path / "out.orilla",
        )
    assert len(list(cache.glob("*/labels.csv"))) == 1


def test_pictures_without_labels(tmp_path: Path) -> None:
    file = _npz(tmp_path / "set.npz", images=_pixels((2, 4, 4)))
    assert open_data(file, labelled=False).class_ids is None
    with pytest.raises(DataError, match="has images without labels"):
        open_data(file)
    assert not is_labelled_arrays(file)
    assert is_labelled_arrays(_npz(tmp_path / "two.npz", images=_pixels((2, 4, 4)), labels=np.arange(2)))
    assert not is_labelled_arrays(_npz(tmp_path / "raw.npz", left=_pixels((2, 4, 4)), right=np.arange(2)))
    assert not is_labelled_arrays(tmp_path / "gone.npz")
    assert not is_labelled_arrays(tmp_path)


def test_a_picture_that_a_table_names_in_two_ways_is_one(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "tables" / "labels.csv"
    table.write_text(f"path,label\n../a.png,x\n{tmp_path}/b.png,y\n")
    assert len(open_data(table)) == 2
    table.write_text(f"path,label\n../a.png,x\n{tmp_path}/a.png,y\n")
    with pytest.raises(DataError, match=r"\.\./a\.png and .*/a\.png are one picture"):
        open_data(table)


def test_files_are_taken_as_they_are(tmp_path: Path) -> None:
    assert data_file(tmp_path) == tmp_path
    assert data_file("table.csv") == "table.csv"


_IMAGES, _LABELS = _pixels((3, 4, 4)), np.arange(3)
_JPEG = np.frombuffer(cv2.imencode(".jpg", _IMAGES[0])[1].tobytes(), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pictures": _IMAGES, "y": _LABELS}, r"no pictures in a known layout: pictures uint8\[3, 4, 4\]"),
        (
            {"images": _IMAGES.astype(np.float32) / 255, "labels": _LABELS},
            r"'images' is float32\[3, 4, 4\]; pictures are",
        ),
        ({"images": _IMAGES[0], "labels": np.arange(4)}, r"'images' is uint8\[4, 4\]; pictures are"),
        ({"images": _pixels((3, 3, 9, 9)), "labels": _LABELS}, "The channels come first"),
        ({"images": _pixels((3, 0, 9)), "labels": _LABELS}, "a picture has 1 to"),
        ({"images": np.asfortranarray(_pixels((3, 4, 4))), "labels": _LABELS}, "Fortran's order"),
        ({"images": _IMAGES, "labels": np.arange(2)}, r"'labels' is int64\[2\]; there are 3 pictures"),
        ({"images": _IMAGES, "labels": np.eye(3)}, r"argmax\(axis=1\)"),
        ({"images": _IMAGES, "labels": np.arange(3.0)}, r"'labels' is float64\[3\]"),
        ({"images": _IMAGES, "labels": np.array(["a", "b", None], object)}, "'labels' holds Python objects"),
        ({"images": np.array([1, None], object)}, "'images' holds Python objects"),
        ({"images": _IMAGES, "labels": np.array(["a", "", "b"])}, "'labels' holds '', which is no name"),
        ({"images": _IMAGES, "labels": np.array(["a", "b\x1b[2J", "b"])}, "which is no name"),
        ({"images": _IMAGES, "labels": np.array([b"a", b"\xff", b"b"])}, "'labels' is not text in UTF-8"),
        ({"images": _IMAGES, "labels": _LABELS, "class_names": np.array(["a", "b"])}, "'labels' holds 2; there are 2"),
        ({"images": _IMAGES, "labels": -_LABELS, "class_names": np.array(["a", "b", "c"])}, "'labels' holds -2"),
        ({"images": _IMAGES, "labels": _LABELS, "class_names": np.array(["a", "a", "b"])}, "name of each class, once"),
        ({"images": _IMAGES[:0], "labels": _LABELS[:0]}, "No picture is left"),
        ({"x_val": _IMAGES, "y_val": _LABELS, "x_valid": _IMAGES, "y_valid": _LABELS}, "validation twice"),
        ({"train_jpeg": _JPEG, "train_offsets": np.array([0, 9]), "train_labels": np.array([0])}, "does not cut"),
        (
            {"train_jpeg": _JPEG, "train_offsets": np.array([0.0, 9.0]), "train_labels": np.array([0])},
            "where each picture",
        ),
        (
            {"train_jpeg": _JPEG, "train_offsets": np.array([0, 40, 40, len(_JPEG)]), "train_labels": _LABELS},
            "does not cut",
        ),
        (
            {"train_jpeg": _JPEG, "train_offsets": np.array([0, 40, len(_JPEG)]), "train_labels": np.arange(2)},
            "picture 1 of 'train_jpeg' is no JPEG",
        ),
        ({"train_jpeg": _IMAGES, "train_offsets": np.array([0, 3]), "train_labels": _LABELS[:1]}, "one row of bytes"),
    ],
)
def test_arrays_that_are_not_in_order(tmp_path: Path, cache: Path, arrays: dict[str, Any], words: str) -> None:
    file = _npz(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        open_data(file)
    assert len(str(caught.value).splitlines()) == 2
    assert not cache.exists() or not list(cache.iterdir())


def _forged(path: Path, shape: tuple[int, ...], content: bytes, dtype: str = "|u1") -> Path:
    """An `.npz` whose arrays say what they are not."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + content)
        labels = io.BytesIO()
        np.save(labels, np.zeros(1, np.uint8))
        archive.writestr("labels.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    ("shape", "content"),
    [((10**6, 10**6, 3), b""), ((2, 4, 4), b"0" * 31), ((2, 4, 4), b"0" * 33), ((-2, -4, 4), b"0" * 32)],
)
def test_an_array_is_as_long_as_it_says(tmp_path: Path, shape: tuple[int, ...], content: bytes) -> None:
    with pytest.raises(DataError, match="'images' cannot be read"):
        open_data(_forged(tmp_path / "set.npz", shape, content))


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    file = tmp_path / "bomb.npz"
    header = io.BytesIO()
    count = 260 * 1024
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (count, 32, 32)})
    piece = bytes(2**20)
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(header.getvalue())
        for _ in range(count * 1024 // len(piece)):
            stream.write(piece)
    assert file.stat().st_size < 2 * 2**20
    with pytest.raises(DataError, match="no real pictures are so alike"):
        open_data(file)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_are_pictures_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-npz"
    folder.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, images=_IMAGES, labels=_LABELS)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = folder / "any.npz"
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    try:
        images = open_data(file)
    except DataError as error:
        message = str(error)
        assert len(message.splitlines()) <= 2, message
    else:
        assert len(images) == 3
