"""A study's folder takes only workers that search the same thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orilla.tuning.settings import FILE, Settings, without_password
from orilla_runtime.errors import SinkError, UsageError

SETTINGS = Settings(
    data_digest="1" * 64,
    split={"validation": 0.1, "test": 0.2},
    space={"small": {"search": ["dropout=0.0..0.5"], "fixed": {"epochs": 3}}},
    seed=0,
    storage="study.log",
    versions={"orilla": "0.1.0"},
)


def test_the_same_search_joins(tmp_path: Path) -> None:
    assert SETTINGS.study(tmp_path) == SETTINGS.study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data_digest": "2" * 64}, "the pictures are others"),
        ({"seed": 1}, "--seed: 0 there, 1 here"),
        ({"split": {"validation": 0.2, "test": 0.2}}, r"the split \(validation\): 0.1 there, 0.2 here"),
        ({"storage": "sqlite:///x.db"}, "--storage: study.log there"),
        ({"versions": {"orilla": "0.2.0"}}, r"the installed versions \(orilla\): 0.1.0 there"),
        (
            {"space": {"small": {"search": ["dropout=0.0..0.4"], "fixed": {"epochs": 3}}}},
            r"what is searched \(small search\): dropout=0.0..0.5 there, dropout=0.0..0.4 here",
        ),
    ],
)
def test_another_search_is_refused_by_name(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    SETTINGS.study(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UsageError, match=says):
        replace(SETTINGS, **change).study(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99, "study": "x"}', '{"format": 1, "study": 3}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UsageError, match=FILE):
        SETTINGS.study(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SinkError):
        SETTINGS.study(tmp_path / "nowhere")


def test_a_password_is_not_written(tmp_path: Path) -> None:
    assert without_password("mysql://me:secret@host:3306/db") == "mysql://me@host:3306/db"
    assert without_password("sqlite:///study.db") == "sqlite:///study.db"
