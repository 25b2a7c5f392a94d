"""The named sets from the files that their authors publish, and by name where there is no network."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.data.opening import open_data
from orilla.data.sets.named import NAMED, get_named
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import LabelledImages, read_labelled
from tests.sdk.data.sets.published_files import batch_of_python_2, check_batch, write_idx, write_tar, write_zip


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, nothing that was downloaded before, and no way to the network."""
    for variable in ("XDG_CACHE_HOME", "KERAS_HOME", "TFDS_DATA_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def photos(unzipped: Callable[[str], Path]) -> list[bytes]:
    """Real photos of cats and dogs."""
    return [path.read_bytes() for path in sorted(unzipped("cats_dogs_180.zip").rglob("*.jpg"))[:12]]


def _pixels(images: LabelledImages, place: int) -> NDArray[np.uint8]:
    picture = cv2.imread(str(images.full_path(place)), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def _drawn(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files(tmp_path: Path, packed: bool) -> None:
    train, test = _drawn(25, 28, 28), _drawn(12, 28, 28)
    write_idx(tmp_path / "idx", "train", train, np.arange(25, dtype=np.uint8) % 10, packed=packed)
    write_idx(tmp_path / "idx", "t10k", test, np.arange(12, dtype=np.uint8) % 10, packed=packed)
    done = get_named("fashion_mnist", tmp_path / "out", source=tmp_path / "idx")
    images = read_labelled(done.labels)
    assert (done.pictures, len(images)) == (37, 37)
    assert images.columns["split"] == ("train",) * 25 + ("test",) * 12
    assert [images.label(place) for place in (0, 9, 25)] == ["T-shirt/top", "Ankle boot", "T-shirt/top"]
    for place in range(37):
        np.testing.assert_array_equal(_pixels(images, place), [*train, *test][place])
    file = next((tmp_path / "idx").glob("t10k-images*"))
    assert get_named("mnist", tmp_path / "digits", source=file).pictures == 37


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "is cut off"),
        (lambda data: data + b"\0", "longer than its header says"),
        (lambda data: b"\0\0\x0d\x03" + data[4:], "no idx file of bytes with 3 axes"),
        (lambda data: data[:4] + b"\0\0\0\x09" + data[8:], "9 pictures and train-labels-idx1-ubyte 3 labels"),
        (lambda data: data[:8] + b"\xff\xff\xff\xff" + data[12:], "says 3 pictures of 4x4294967295 pixels"),
        (lambda _: b"", "is cut off"),
    ],
)
def test_idx_files_that_are_damaged(tmp_path: Path, change: Callable[[bytes], bytes], words: str) -> None:
    write_idx(tmp_path, "train", _drawn(3, 4, 4), np.arange(3, dtype=np.uint8), packed=False)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        get_named("mnist", tmp_path / "out", source=tmp_path)
    assert len(str(caught.value).splitlines()) == 2
    assert not (tmp_path / "out").exists()


def test_a_gzip_that_is_none(tmp_path: Path) -> None:
    write_idx(tmp_path, "train", _drawn(3, 4, 4), np.arange(3, dtype=np.uint8), packed=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"<html>Not found</html>")
    with pytest.raises(DataError, match="cannot be read: Not a gzipped file"):
        get_named("mnist", tmp_path / "out", source=tmp_path)
    write_idx(tmp_path, "train", _drawn(3, 4, 4), np.array([1, 10, 2], np.uint8), packed=True)
    with pytest.raises(DataError, match="class 10; there are 10"):
        get_named("mnist", tmp_path / "out", source=tmp_path)


def test_a_file_of_keras(tmp_path: Path) -> None:
    pixels = _drawn(20, 28, 28)
    np.savez(
        tmp_path / "mnist.npz", x_train=pixels, y_train=np.arange(20) % 10, x_test=pixels, y_test=np.arange(20) % 10
    )
    for source in (tmp_path / "mnist.npz", tmp_path):
        done = get_named("mnist", tmp_path / f"out-{source.name}", source=source)
        assert Counter(read_labelled(done.labels).columns["split"]) == {"train": 20, "test": 20}


def _cifar(folder: Path) -> tuple[dict[str, bytes], NDArray[np.uint8]]:
    images = _drawn(6, 10, 3, 32, 32)
    labels = [(7 * place) % 10 for place in range(10)]
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = [batch_of_python_2(each, labels) for each in images]
    check_batch(batches[0], images[0], labels)
    files = {f"cifar-10-batches-py/{name}": batch for name, batch in zip(names, batches, strict=True)}
    return files | {"cifar-10-batches-py/readme.html": b"<html>"}, images


def test_cifar_batches(tmp_path: Path) -> None:
    files, batches = _cifar(tmp_path)
    archive = write_tar(tmp_path / "cifar-10-python.tar.gz", files)
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    digests = set()
    for place, source in enumerate((archive, tmp_path / "cifar-10-batches-py")):
        done = get_named("cifar10", tmp_path / f"out{place}", source=source)
        images = read_labelled(done.labels)
        assert Counter(images.columns["split"]) == {"train": 50, "test": 10}
        assert [images.label(place) for place in range(3)] == ["airplane", "horse", "deer"]
        np.testing.assert_array_equal(_pixels(images, 3)[..., ::-1], batches[0, 3].transpose(1, 2, 0))
        np.testing.assert_array_equal(_pixels(images, 59)[..., ::-1], batches[5, 9].transpose(1, 2, 0))
        digests.add(images.digest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (b"cos\nsystem\n(S'touch owned'\ntR.", "refused: it holds the pickle instruction STRING"),
        (b"\x80\x02cos\nsystem\nU\x0btouch owned\x85R.", "refused: it asks for os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "refused: it holds the pickle instruction SHORT_BINUNICODE"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "its memo is too large"),
        (b"\x80\x02}.", "it is damaged"),
        (b"", "it is damaged"),
        (b"\x80\x02}(U\x04dataU\x03abcU\x06labels]u.", "no array of pictures"),
        (batch_of_python_2(_drawn(2, 3, 32, 32), [1, 2, 3]), "do not fit each other"),
        (batch_of_python_2(_drawn(2, 3, 32, 32), [1, 10]), "holds class 10; there are 10"),
        (batch_of_python_2(_drawn(2, 3, 32, 32), [1, 2]).replace(b"M\x00\x0c", b"M\x00\x0d"), "no bytes of 32x32"),
        (batch_of_python_2(_drawn(2, 3, 32, 32), [1, 2])[:-5000], "it is damaged"),
    ],
)
def test_a_batch_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: bytes, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    archive = write_tar(tmp_path / "cifar.tar.gz", {"cifar-10-batches-py/data_batch_1": batch})
    with pytest.raises(DataError, match=words) as caught:
        get_named("cifar10", tmp_path / "out", source=archive)
    assert len(str(caught.value).splitlines()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"cifar.tar.gz"}


def test_cats_and_dogs_without_the_damaged_ones(tmp_path: Path, photos: list[bytes]) -> None:
    files = {f"PetImages/{'Cat' if place < 6 else 'Dog'}/{place}.jpg": photo for place, photo in enumerate(photos)}
    damaged = {"PetImages/Cat/666.jpg": b"", "PetImages/Dog/11702.jpg": photos[0][:900], "PetImages/Cat/7.jpg": b"BM"}
    strange = {"PetImages/Cat/Thumbs.db": b"x", "readme[1].txt": b"x", "CDLA-Permissive-2.0.pdf": b"x"}
    archive = write_zip(tmp_path / "kagglecatsanddogs_5340.zip", files | damaged | strange)
    done = get_named("cats_vs_dogs", tmp_path / "out", source=archive)
    assert sorted(done.damaged) == ["cat/666.jpg", "cat/7.jpg", "dog/11702.jpg"]
    images = read_labelled(done.labels)
    assert images.classes == ("cat", "dog")
    assert images.class_ids is not None
    assert np.bincount(images.class_ids).tolist() == [6, 6]
    assert images.columns == {}
    assert images.full_path(3).read_bytes() == photos[3]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cat", "dog", "labels.csv"]


def test_flowers_from_an_archive_and_from_its_folder(tmp_path: Path, photos: list[bytes]) -> None:
    kinds = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    files = {f"flower_photos/{kinds[place % 5]}/{place}_f52e8ee_n.jpg": photo for place, photo in enumerate(photos)}
    archive = write_tar(tmp_path / "flower_photos.tgz", files | {"flower_photos/LICENSE.txt": b"CC"})
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digests = set()
    for place, source in enumerate((archive, tmp_path / "flower_photos", tmp_path)):
        images = read_labelled(get_named("tf_flowers", tmp_path.parent / f"flowers{place}", source=source).labels)
        assert images.classes == kinds
        digests.add(images.digest())
    assert len(digests) == 1


def _pets(folder: Path, photos: list[bytes]) -> None:
    names = [
        "Abyssinian_1",
        "Abyssinian_201",
        "yorkshire_terrier_14",
        "yorkshire_terrier_2",
        "Egyptian_Mau_5",
        "pug_77",
    ]
    lists = {
        "annotations/README": b"...",
        "annotations/list.txt": b"#Image CLASS-ID SPECIES BREED ID\n",
        "annotations/trainval.txt": b"Abyssinian_1 1 1 1\nyorkshire_terrier_14 37 2 25\nEgyptian_Mau_5 12 1 6\n",
        "annotations/test.txt": b"Abyssinian_201 1 1 1\nyorkshire_terrier_2 37 2 25\nEgyptian_Mau_167 12 1 6\n",
        "annotations/._trainval.txt": b"\0\x05\x16",
    }
    pictures = {f"images/{name}.jpg": photo for name, photo in zip(names, photos, strict=False)}
    write_tar(folder / "images.tar.gz", pictures | {"images/Abyssinian_100.mat": b"MATLAB"}, "w")
    write_tar(folder / "annotations.tar.gz", lists)


def test_pets_from_their_two_archives(tmp_path: Path, photos: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    _pets(tmp_path, photos)
    done = get_named("oxford_iiit_pet", tmp_path / "out", source=tmp_path)
    images = read_labelled(done.labels)
    rows = [
        (path.as_posix(), images.label(place), images.columns["split"][place], images.columns["species"][place])
        for place, path in enumerate(images.paths)
    ]
    assert rows == [
        ("train/Abyssinian/Abyssinian_1.jpg", "Abyssinian", "train", "cat"),
        ("test/Abyssinian/Abyssinian_201.jpg", "Abyssinian", "test", "cat"),
        ("train/yorkshire_terrier/yorkshire_terrier_14.jpg", "yorkshire_terrier", "train", "dog"),
        ("test/yorkshire_terrier/yorkshire_terrier_2.jpg", "yorkshire_terrier", "test", "dog"),
        ("train/Egyptian_Mau/Egyptian_Mau_5.jpg", "Egyptian_Mau", "train", "cat"),
    ]
    assert "1 of the 6 pictures that the lists name are not there" in caplog.text
    assert get_named("oxford_iiit_pet", tmp_path / "two", source=tmp_path / "images.tar.gz").pictures == 5
    (tmp_path / "annotations.tar.gz").unlink()
    with pytest.raises(DataError, match=r"holds no annotations\.tar\.gz") as caught:
        get_named("oxford_iiit_pet", tmp_path / "three", source=tmp_path)
    assert "put both into one folder" in caught.value.remedy


@pytest.mark.parametrize("name", ["oxford_iiit_pet", "cats_vs_dogs", "tf_flowers", "cifar10", "mnist", "fashion_mnist"])
def test_files_of_something_else(tmp_path: Path, name: str) -> None:
    other = write_zip(tmp_path / "other.zip", {"holiday/1.jpg": b"x"})
    with pytest.raises(DataError) as caught:
        get_named(name, tmp_path / "out", source=other)
    assert str(tmp_path) in caught.value.message
    assert len(str(caught.value).splitlines()) == 2
    text = tmp_path / "text.tar.gz"
    text.write_text("<html>Not found</html>")
    with pytest.raises(DataError):
        get_named(name, tmp_path / "out", source=text)
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="There is no set called 'imagenet'") as caught:
        get_named("imagenet")
    assert all(name in caught.value.remedy for name in NAMED)


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "mnist" / name).mkdir(parents=True)
        (tmp_path / "mnist" / name / "1.png").touch()
    assert open_data("mnist").classes == ("a", "b")


def test_what_keras_has_downloaded_before_needs_no_network(tmp_path: Path) -> None:
    folder = tmp_path / "KERAS_HOME" / "datasets" / "fashion-mnist"
    for part, count in (("train", 20), ("t10k", 10)):
        write_idx(folder, part, _drawn(count, 28, 28), np.arange(count, dtype=np.uint8) % 10, packed=True)
    images = open_data("fashion_mnist")
    assert Counter(images.columns["split"]) == {"train": 20, "test": 10}
    direct = read_labelled(get_named("fashion_mnist", tmp_path / "out", source=folder).labels)
    assert images.digest() == direct.digest()


@pytest.mark.parametrize("name", ["cifar10", "tf_flowers"])
def test_without_a_network_the_error_says_what_to_do(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match=f"{name} cannot be downloaded") as caught:
        open_data(name)
    assert len(str(caught.value).splitlines()) == 2
    assert f"orilla data get {name} --from {NAMED[name].published}" in caught.value.remedy
    assert f"{name} is not in the cache: getting it, {NAMED[name].megabytes} MB." in caplog.text


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name, extra in (("keras", "mnist", "desk"), ("tensorflow_datasets", "cats_vs_dogs", "datasets")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(DataError, match="which is not installed") as caught:
            open_data(name)
        assert f"pip install 'orilla[{extra}]'" in caught.value.remedy
