"""What a person may write as a source, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orilla_runtime.errors import OrillaError, SourceError, UsageError
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.images import ImagesSource
from orilla_runtime.sources.listing import list_pictures
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.registry import open_source
from orilla_runtime.sources.video import VideoSource


def _write(path: Path, level: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", np.full((4, 5, 3), level, np.uint8))
    path.write_bytes(data.tobytes())
    return path


def _names(source: Any, root: Path) -> list[str]:
    return [Path(item.source).relative_to(root).as_posix() for item in source]


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    names = ["b10.png", "b9.PNG", "a.JPG", ".hidden.png", "notes.txt", "sub/c2.png", "sub/.secret/x.png", "z.d/y.webp"]
    for name in names:
        _write(tmp_path / name)
    (tmp_path / "folder_named.jpg").mkdir()
    source = open_source(tmp_path)
    assert source.total == 5
    assert not source.live
    assert _names(source, tmp_path) == ["a.JPG", "b9.PNG", "b10.png", "sub/c2.png", "z.d/y.webp"]


def test_the_odd_folder_gives_a_picture_or_a_failure_for_each_file(unzipped: Callable[[str], Path]) -> None:
    folder = unzipped("odd_images.zip") / "files"
    visible = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    items = list(open_source(folder))
    skipped = {"no_extension", "page.svg"}
    assert {Path(item.source).name for item in items} == {path.name for path in visible} - skipped
    assert [item.index for item in items] == list(range(len(items)))
    for item in items:
        if isinstance(item, Failure):
            assert item.source in item.error
        else:
            assert not item.image.flags.writeable
            assert item.pts_seconds is None
            assert item.decode_ns > 0
            assert item.captured_at.tzinfo is not None


def test_a_broken_picture_by_its_name_is_a_failure(unzipped: Callable[[str], Path]) -> None:
    for name in ("truncated_60.jpg", "empty.jpg", "text_renamed.jpg", "page.svg"):
        (item,) = open_source(unzipped("odd_images.zip") / "files" / name)
        assert isinstance(item, Failure)
        assert name in item.error


@pytest.mark.parametrize(
    "name",
    ["no_extension", ".hidden.jpg", "-dash.jpg", "фото_犬_é_ß.jpg", "it's 100% a name; with (odd) [chars] & #1.jpg"],
)
def test_odd_names_open_when_named(unzipped: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(unzipped("odd_images.zip") / "files")
    for spec in (name, Path(name)):
        (item,) = open_source(spec)
        assert isinstance(item, Frame)
        assert item.source == name


def test_content_decides_between_picture_and_video(unzipped: Callable[[str], Path], tmp_path: Path) -> None:
    video = shutil.copy(unzipped("video.zip") / "one_frame.mp4", tmp_path / "really_a_video.jpg")
    picture = _write(tmp_path / "really_a_picture.mp4")
    unnamed = shutil.copy(unzipped("video.zip") / "photos_vp9.webm", tmp_path / "unnamed")
    assert isinstance(open_source(video), VideoSource)
    assert isinstance(open_source(picture), ImagesSource)
    assert isinstance(open_source(unnamed), VideoSource)
    assert isinstance(open_source(unzipped("video.zip") / "text.mp4"), VideoSource)


def test_a_glob_is_sorted_and_recursive(tmp_path: Path) -> None:
    for name in ("p10.png", "p2.png", "deep/er/p1.png", "other.txt"):
        _write(tmp_path / name)
    assert _names(open_source(f"{tmp_path}/p*.png"), tmp_path) == ["p2.png", "p10.png"]
    assert _names(open_source(f"{tmp_path}/**/p*"), tmp_path) == ["deep/er/p1.png", "p2.png", "p10.png"]


def test_a_video_that_a_glob_matches_is_a_failure_that_says_so(unzipped: Callable[[str], Path]) -> None:
    items = list(open_source(f"{unzipped('video.zip')}/one_*.mp4"))
    assert len(items) == 1
    assert isinstance(items[0], Failure)
    assert "a video" in items[0].error


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere/at_all.jpg", "no such file or folder"),
        ("nowhere/*.jpg", "No file matches"),
        ("x" * 5000, "no such file or folder"),
        ("a\0b", "no such file or folder"),
        ("plugin_that_is_not:there", "no such file or folder"),
    ],
)
def test_what_is_not_there_is_an_error_at_once(spec: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        open_source(spec)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize("spec", ["", "  ", None, 1.5, True, ["a.jpg"]])
def test_what_is_no_source_is_a_usage_error(spec: Any) -> None:
    with pytest.raises(UsageError):
        open_source(spec)


def test_an_empty_folder_and_one_of_videos(tmp_path: Path, unzipped: Callable[[str], Path]) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        open_source(tmp_path)
    with pytest.raises(SourceError, match="Give its videos by their names"):
        open_source(unzipped("video.zip"))


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://admin:hunter2@10.0.0.7/stream",
        "rtsp://admin:hun/ter2@home@10.0.0.7:554/stream",
        "http://10.0.0.7/video?user=admin&pwd=hunter2",
        "rtsps://hunter2@cam",
    ],
)
def test_no_password_of_an_address_is_repeated(address: str) -> None:
    source = open_source(address)
    with pytest.raises(OrillaError, match="streams of the kind rtmp:// are not supported") as caught:
        open_source("rtmp" + address[address.index(":") :])
    failure = Failure(address, 0, f"{address} was lost")
    for text in (str(caught.value), str(failure), source.name, repr(source)):
        assert "hun" not in text
        assert "ter2" not in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    _write(tmp_path / "real.png")
    for spec in (tmp_path / "pipe.jpg", "/dev/zero"):
        with pytest.raises(SourceError, match="a pipe or a device"):
            open_source(spec)
    kinds = [type(item) for item in open_source(tmp_path)]
    assert kinds == [Failure, Frame]


def test_links(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "1.png")
    try:
        (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
        (tmp_path / "a" / "broken.png").symlink_to(tmp_path / "gone.png")
        (tmp_path / "elsewhere").symlink_to(tmp_path / "a", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert [path.name for path in list_pictures(tmp_path)] == ["1.png", "broken.png"]
    assert [type(item) for item in open_source(tmp_path)] == [Frame, Failure]


def test_deep_folders_do_not_exhaust_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(*["d"] * 400)
    folder.mkdir(parents=True)
    _write(folder / "x.png")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        assert len(list(list_pictures("d"))) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_a_source_passes_through_and_close_ends_it(tmp_path: Path) -> None:
    source = ImagesSource([_write(tmp_path / "a.png"), _write(tmp_path / "b.png")], name="two")
    assert open_source(source) is source
    items = iter(source)
    next(items)
    source.close()
    source.close()
    assert list(items) == []


def test_the_pixel_limit_reaches_the_files(tmp_path: Path) -> None:
    _write(tmp_path / "a.png")
    (item,) = open_source(tmp_path, SourceOptions(max_pixels=19))
    assert isinstance(item, Failure)
    with pytest.raises(UsageError):
        SourceOptions(width=0)


def test_a_plug_in_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = _write(tmp_path / "p.png")
    (tmp_path / "line_scan.py").write_text(
        "from orilla_runtime.sources.images import ImagesSource\n"
        "def open_scan(rest, options):\n"
        "    return ImagesSource([rest], name='scan ' + rest)\n"
    )
    info = tmp_path / "line_scan-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: line-scan\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[orilla.sources]\nscan = line_scan:open_scan\nbroken = line_scan:nothing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = open_source(f"scan:{picture}")
    assert source.name == f"scan {picture}"
    assert [type(item) for item in source] == [Frame]
    with pytest.raises(SourceError, match="'broken'"):
        open_source("broken:1")


def test_an_address_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINE_CAMERA", "rtsp://me:hunter2@cam/x")
    assert open_source("env:LINE_CAMERA").name == "rtsp://***@cam/x"
    monkeypatch.setenv("LINE_CAMERA", str(_write(tmp_path / "a.png")))
    assert [type(item) for item in open_source("env:LINE_CAMERA")] == [Frame]
    for value in ("", "env:LINE_CAMERA"):
        monkeypatch.setenv("LINE_CAMERA", value)
        with pytest.raises(SourceError, match="LINE_CAMERA holds no source"):
            open_source("env:LINE_CAMERA")


def test_options_that_cannot_be() -> None:
    for wrong in ({"retries": -1}, {"pixel_format": "MJPEG"}, {"retry_seconds": 0}, {"timeout_seconds": 1e300}):
        with pytest.raises(UsageError):
            SourceOptions(**wrong)


@given(
    st.sampled_from(
        ["", "pattern:", "watch:", "env:", "file:", "http://", "rtsp://u:s3cret@", "/dev/video", "./", "9"]
    ),
    st.text(st.characters(exclude_characters="*?["), max_size=30),
)
@example("pattern:", "9" * 5000 + "x1@30")
@example("", "9" * 5000)
@example("", "\0")
def test_any_text_is_a_source_or_refused_by_name(kind: str, rest: str) -> None:
    refusal = ""
    try:
        open_source(kind + rest).close()
    except OrillaError as error:
        refusal = str(error)
    assert "s3cret" not in refusal
