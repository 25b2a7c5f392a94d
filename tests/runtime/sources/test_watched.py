"""A watched folder: every file once, none by half."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import SourceError
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.base import Timing
from orilla_runtime.sources import watched
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.registry import open_source


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watched, "_STILL_SECONDS", 0.05)
    monkeypatch.setattr(watched, "_HALF_SECONDS", 0.5)


def _png(level: int) -> bytes:
    return cv2.imencode(".png", np.full((40, 50, 3), level, np.uint8))[1].tobytes()


def _levels(items: Iterator[Frame | Failure], count: int) -> list[int | str]:
    found: list[int | str] = []
    for item in items:
        found.append(int(item.image[0, 0, 0]) if isinstance(item, Frame) else item.error)
        if len(found) == count:
            break
    return found


def test_files_that_are_there_then_each_new_one_once(tmp_path: Path) -> None:
    for name, level in (("b10.png", 2), ("b9.png", 1), (".hidden.png", 9), ("notes.txt", 9)):
        (tmp_path / name).write_bytes(_png(level))
    (tmp_path / "sub").mkdir()
    source = open_source(f"watch:{tmp_path}")
    assert (source.live, source.total, source.dropped) == (True, None, 0)
    items = iter(source)
    assert _levels(items, 2) == [1, 2]
    (tmp_path / "c.part").write_bytes(_png(3))
    (tmp_path / "c.part").rename(tmp_path / "c.png")
    assert _levels(items, 1) == [3]
    (tmp_path / "c.png").unlink()
    (tmp_path / "b9.png").write_bytes(_png(4))  # A new picture under an old name
    (tmp_path / "c.png").write_bytes(_png(5))
    assert sorted(_levels(items, 2), key=str) == [4, 5]
    threading.Timer(0.3, source.close).start()
    assert list(items) == []


def test_a_file_that_is_written_slowly_is_given_whole(tmp_path: Path) -> None:
    source = open_source(f"watch:{tmp_path}")
    data = _png(7)

    def write() -> None:
        with (tmp_path / "slow.png").open("wb") as file:
            for at in range(0, len(data), -(-len(data) // 4)):
                file.write(data[at : at + -(-len(data) // 4)])
                file.flush()
                time.sleep(0.15)  # Longer than a file must stand still

    writer = threading.Thread(target=write)
    writer.start()
    items = iter(source)
    assert _levels(items, 1) == [7]
    writer.join()
    source.close()


def test_a_file_that_stays_half_is_a_failure_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(_png(7)[:-20])
    source = open_source(f"watch:{tmp_path}")
    items = iter(source)
    (error,) = _levels(items, 1)
    assert "half.png is a PNG that is cut off" in str(error)
    (tmp_path / "half.png").write_bytes(_png(8))
    assert _levels(items, 1) == [8]
    source.close()


def test_a_folder_that_goes_away_is_told_once_and_looked_for_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    source = open_source(f"watch:{folder}")
    items = iter(source)
    folder.rmdir()
    (error,) = _levels(items, 1)
    assert str(error).startswith(f"watch:{folder} cannot be listed")
    time.sleep(0.1)
    folder.mkdir()
    (folder / "a.png").write_bytes(_png(1))
    assert _levels(items, 1) == [1]
    source.close()
    with pytest.raises(SourceError, match="no such folder"):
        open_source(f"watch:{tmp_path / 'nowhere'}")


class _Slow:
    """A model that is slower than the files come."""

    bundle_id, artifact, engine, cpu_threads = None, "slow.tflite", "test/cpu", None

    def process(self, image: Any) -> tuple[Any, Timing]:
        time.sleep(0.02)
        return int(image[0, 0, 0]), Timing(0.0, 0.0, 0.0, 0.0)


def test_a_run_loses_no_file_however_slow_it_is(tmp_path: Path) -> None:
    for level in range(40):
        (tmp_path / f"{level}.png").write_bytes(_png(level))
    with Pipeline(_Slow(), open_source(f"watch:{tmp_path}"), max_frames=40) as pipeline:
        assert [record.result for record in pipeline] == list(range(40))
    assert pipeline.counts.dropped == 0
