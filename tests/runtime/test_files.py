"""A file that is there whole or not at all, and a place that is refused before the work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from orilla_runtime.errors import SinkError
from orilla_runtime.files import replaced, require_writable

PLACES = [
    ("no/a.txt", "there is no folder"),
    ("folder", "is a folder"),
    ("/", "is a folder"),
    (".", "is a folder"),
    ("/proc/a.txt", "/proc/a.txt"),
]


@pytest.mark.parametrize(("place", "word"), PLACES)
def test_both_refuse_the_same_places(place: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(SinkError, match=word):
        require_writable(Path(place))
    with pytest.raises(SinkError, match=word), replaced(Path(place)) as part:
        part.write_text("never")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_look_at_the_place_leaves_nothing_and_touches_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    require_writable(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file(error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write() -> None:
        with replaced(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
