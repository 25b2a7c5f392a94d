"""Video files: every frame in order with its time, and a word for each that is missing."""

from __future__ import annotations

import json
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.video import VideoSource

VIDEOS = [
    "photos_h264.mp4", "photos_mpeg4.avi", "photos_mjpeg.avi", "photos_vp9.webm", "photos_h264_audio.mkv",
    "photos_hevc10.mp4", "phone_rotated.mp4", "vfr.mp4", "truncated_no_index.mp4", "truncated_index_first.mp4",
    "audio_only.mp4", "zero_frames.avi", "empty.mp4", "text.mp4", "one_frame.mp4", "counter_30fps.mp4",
    "counter_1000fps.mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def videos(unzipped: Callable[[str], Path]) -> Path:
    return unzipped("video.zip")


@pytest.fixture(scope="module")
def index(videos: Path) -> dict[str, dict[str, Any]]:
    entries = json.loads((videos / "index.json").read_text(encoding="utf-8"))["videos"]
    return {entry["file"]: entry for entry in entries}


def _split(source: VideoSource) -> tuple[list[Frame], list[Failure]]:
    items = list(source)
    assert [item.index for item in items] == list(range(len(items)))
    return [item for item in items if isinstance(item, Frame)], [item for item in items if isinstance(item, Failure)]


def test_all_videos_are_known(index: dict[str, Any]) -> None:
    assert set(index) == set(VIDEOS)


@pytest.mark.parametrize("name", VIDEOS)
def test_each_video_is_what_its_index_says(videos: Path, index: dict[str, dict[str, Any]], name: str) -> None:
    entry = index[name]
    source = VideoSource(videos / name)
    total = source.total
    frames, failures = _split(source)
    for frame in frames:
        assert frame.image.shape == (entry["height"], entry["width"], 3)
        assert not frame.image.flags.writeable
    if entry["expect"] == "read":
        assert failures == []
        assert len(frames) == entry["frames"]
        assert total in {None, len(frames)}
    elif entry["expect"] == "refuse":
        assert frames == []
        assert [name in failure.error for failure in failures] == [True]
    else:
        assert len(frames) == entry["seen"]["opencv"]["read"]
        assert [failure.error for failure in failures] == [
            f"{videos / name} is cut off: {len(frames)} of its 96 frames could be read."
        ]


@pytest.mark.parametrize("name", ["counter_30fps.mp4", "counter_1000fps.mp4"])
def test_no_frame_is_dropped_doubled_or_moved(videos: Path, index: dict[str, dict[str, Any]], name: str) -> None:
    frames, _ = _split(VideoSource(videos / name))
    assert [_number(frame.image) for frame in frames] == list(range(120))
    times = [frame.pts_seconds for frame in frames]
    np.testing.assert_allclose(times, np.arange(120) / index[name]["fps"], atol=1e-6)


def test_the_times_of_a_variable_frame_rate(videos: Path, index: dict[str, dict[str, Any]]) -> None:
    frames, _ = _split(VideoSource(videos / "vfr.mp4"))
    # The encoder kept steps of 40 ms, so the file's own times lie up to 20 ms from those that were asked for.
    np.testing.assert_allclose([frame.pts_seconds for frame in frames], index["vfr.mp4"]["timestamps_s"], atol=0.0201)


def test_frames_stay_what_they_were_while_they_are_held(videos: Path) -> None:
    held, _ = _split(VideoSource(videos / "counter_30fps.mp4"))
    assert len({frame.image.ctypes.data for frame in held}) == len(held)


@pytest.mark.parametrize("name", ["photos_h264_audio.mkv", "photos_vp9.webm", "photos_mjpeg.avi", "counter_30fps.mp4"])
def test_a_cut_end_is_noticed_in_each_container(videos: Path, tmp_path: Path, name: str) -> None:
    whole = (videos / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: len(whole) * 7 // 10])
    frames, failures = _split(VideoSource(cut))
    assert len(failures) == 1
    assert len(frames) < 120
    assert "cut off" in failures[0].error


def test_a_trimmed_video_is_not_reported_as_damaged(videos: Path, tmp_path: Path) -> None:
    """Phones trim by an edit list: the index still counts all frames, the movie's duration those that are shown."""
    data = bytearray((videos / "photos_h264.mp4").read_bytes())
    for box, place in ((b"elst", 12), (b"mvhd", 20)):
        at = data.find(box) + place
        (duration,) = struct.unpack_from(">I", data, at)
        struct.pack_into(">I", data, at, duration // 2)
    trimmed = tmp_path / "trimmed.mp4"
    trimmed.write_bytes(data)
    source = VideoSource(trimmed)
    assert source.total == 48
    frames, failures = _split(source)
    assert len(frames) == 48
    assert failures == []


def test_names_that_mean_something_to_ffmpeg_or_opencv(videos: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "-dash.mp4", "frame_%03d.mp4", "фото 犬.mp4"):
        shutil.copy(videos / "one_frame.mp4", name)
        frames, failures = _split(VideoSource(name))
        assert (len(frames), failures) == (1, []), name


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n")
    frames, failures = _split(VideoSource(playlist))
    assert frames == []
    assert "text" in failures[0].error


def test_a_video_larger_than_the_limit_is_refused(videos: Path) -> None:
    _, failures = _split(VideoSource(videos / "one_frame.mp4", max_pixels=256 * 256 - 1))
    assert "256x256" in failures[0].error


def test_close_ends_the_reading_from_another_thread(videos: Path) -> None:
    source = VideoSource(videos / "photos_h264.mp4")
    frames = iter(source)
    next(frames)
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join()
    source.close()
    assert list(frames) == []
    assert list(VideoSource(videos / "one_frame.mp4"))  # Another source is not disturbed.


def test_a_file_that_went_away_is_a_failure(tmp_path: Path) -> None:
    _, failures = _split(VideoSource(tmp_path / "gone.mp4"))
    assert len(failures) == 1
    assert "gone.mp4" in failures[0].error


def _number(image: np.ndarray) -> int:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return sum(int(grey[105:135, 40 * bit + 10 : 40 * bit + 30].mean() > 128) << bit for bit in range(8))
