"""Archives from strangers: only regular files are seen, nothing is written where they say, and bombs are refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.data.sets.archives import members
from orilla.data.sets.named import get_named
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import read_labelled
from tests.sdk.data.sets.published_files import write_tar, write_zip

PHOTO = cv2.imencode(".jpg", np.full((8, 8, 3), 99, np.uint8))[1].tobytes()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_name_of_an_archive_is_a_place(tmp_path: Path, kind: str) -> None:
    names = [
        "../../daisy/1.jpg",
        "/daisy/2.jpg",
        "daisy/../../roses/3.jpg",
        "C:\\roses\\4.jpg",
        "roses/..jpg",
        "daisy/.jpg",
    ]
    files = dict.fromkeys(names, PHOTO)
    source = write_tar(tmp_path / "a.tgz", files) if kind == "tar" else write_zip(tmp_path / "a.zip", files)
    done = get_named("tf_flowers", tmp_path / "deep" / "out", source=source)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    inside = {path.as_posix() for path in read_labelled(done.labels).paths}
    assert inside >= {"daisy/1.jpg", "daisy/2.jpg", "roses/3.jpg"}
    assert written == {source.name, "deep/out/labels.csv", *(f"deep/out/{name}" for name in inside)}


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (
            ("s", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("f", tarfile.FIFOTYPE),
            ("c", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(f"roses/{name}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("roses/real.jpg")
        info.size = len(PHOTO)
        archive.addfile(info, io.BytesIO(PHOTO))
    assert [member.name for member in members(tmp_path / "a.tar")] == ["roses/real.jpg"]


def test_a_folder_with_a_loop_ends(tmp_path: Path) -> None:
    (tmp_path / "roses").mkdir()
    (tmp_path / "roses" / "1.jpg").write_bytes(PHOTO)
    try:
        (tmp_path / "roses" / "loop").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert [(member.name, member.read()) for member in members(tmp_path)] == [("roses/1.jpg", PHOTO)]


def test_bombs_are_refused_by_what_they_say(tmp_path: Path) -> None:
    info = tarfile.TarInfo("roses/huge.bin")
    info.size = 17 * 2**30
    (tmp_path / "huge.tar").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(DataError, match="unpacks to more than 16 GiB"):
        get_named("tf_flowers", tmp_path / "out", source=tmp_path / "huge.tar")
    bomb = write_zip(tmp_path / "bomb.zip", {"roses/1.jpg": PHOTO, "roses/bomb.jpg": bytes(65 * 2**20)})
    assert bomb.stat().st_size < 2**20
    with pytest.raises(DataError, match=r"roses/bomb\.jpg has 68,157,440 bytes, too many for a picture"):
        get_named("tf_flowers", tmp_path / "out", source=bomb)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bomb.zip", "huge.tar"]


def test_a_picture_that_stands_there_twice(tmp_path: Path) -> None:
    source = write_zip(tmp_path / "a.zip", {"roses/1.jpg": PHOTO, "copy/roses/1.jpg": PHOTO})
    with pytest.raises(DataError, match=r"holds roses/1\.jpg twice"):
        get_named("tf_flowers", tmp_path / "out", source=source)


def test_a_zip_with_a_password_and_one_that_is_cut(tmp_path: Path) -> None:
    source = write_zip(tmp_path / "a.zip", {"roses/1.jpg": PHOTO})
    content = bytearray(source.read_bytes())
    content[6] |= 1  # the flag of encryption, in both headers
    content[content.index(b"PK\x01\x02") + 8] |= 1
    source.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"cannot be read: .*encrypted"):
        get_named("tf_flowers", tmp_path / "out", source=source)
    tar = write_tar(tmp_path / "a.tgz", {"roses/1.jpg": np.random.default_rng(0).bytes(20_000)})
    tar.write_bytes(tar.read_bytes()[:9_000])
    with pytest.raises(DataError, match=r"cannot be read|or damaged"):
        get_named("tf_flowers", tmp_path / "out", source=tar)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.data())
def test_any_bytes_are_an_archive_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-archive"
    folder.mkdir(exist_ok=True)
    path = folder / ("a.zip" if zipped else "a.tar")
    files = {"roses/1.jpg": PHOTO[:200], "daisy/2.jpg": PHOTO[:100]}
    content = bytearray((write_zip(path, files) if zipped else write_tar(path, files, "w")).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 1400) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        for member in members(path):
            assert len(member.read()) == member.size
    except DataError as error:
        message = str(error)
        assert len(message.splitlines()) <= 2, message


def test_a_zip_says_the_truth_about_sizes(tmp_path: Path) -> None:
    source = write_zip(tmp_path / "a.zip", {"roses/1.jpg": bytes(100_000)})
    content = source.read_bytes()
    real, said = (100_000).to_bytes(4, "little"), (100).to_bytes(4, "little")
    assert content.count(real) == 2
    source.write_bytes(content.replace(real, said))
    with zipfile.ZipFile(source) as archive:
        assert archive.infolist()[0].file_size == 100
    with pytest.raises(DataError, match="cannot be read"):
        next(members(source)).read()
