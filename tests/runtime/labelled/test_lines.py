"""Labelled pictures from JSONL, and every way in which its lines can be out of order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla_runtime.errors import DataError
from orilla_runtime.labelled import read_labelled


def _lines(root: Path, content: str | bytes, name: str = "table.jsonl") -> Path:
    for picture in ("a.jpg", "b.jpg"):
        (root / picture).write_bytes(picture.encode())
    file = root / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize("name", ["table.jsonl", "table.NDJSON"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_object_is_a_picture(tmp_path: Path, mark: bytes, name: str) -> None:
    text = (
        '{"path": "b.jpg", "label": " K\u00e4fer ", "light": "dim", "lux": 3.5, "day": true, "note": null}\n\n'
        '{"label": "ant", "path": "./a.jpg", "line": 7}'
    )
    data = read_labelled(_lines(tmp_path, mark + text.encode(), name))
    assert data.root == tmp_path
    assert [path.as_posix() for path in data.paths] == ["b.jpg", "a.jpg"]
    assert data.classes == ("K\u00e4fer", "ant")
    assert data.class_ids is not None
    assert data.class_ids.tolist() == [0, 1]
    assert data.columns == {
        "light": ("dim", ""),
        "lux": ("3.5", ""),
        "day": ("true", ""),
        "note": ("", ""),
        "line": ("", "7"),
    }


def test_ids_and_numbers_as_names(tmp_path: Path) -> None:
    text = '{"path": "a.jpg", "class_id": 3}\n{"path": "b.jpg", "class_id": 0}\n'
    data = read_labelled(_lines(tmp_path, text))
    assert data.ids_given
    assert data.class_ids is not None
    assert data.class_ids.tolist() == [3, 0]
    digits = read_labelled(_lines(tmp_path, '{"path": "a.jpg", "label": 7}\n{"path": "b.jpg", "label": 1}\n'))
    assert digits.classes == ("1", "7")


def test_paths_alone(tmp_path: Path) -> None:
    file = _lines(tmp_path, '{"path": "a.jpg"}\n')
    assert read_labelled(file, labelled=False).class_ids is None
    with pytest.raises(DataError, match="line 1: no `label` or `class_id`"):
        read_labelled(file)


GOOD = '{"path": "a.jpg", "label": "x"}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no pictures"),
        ("\n \n", "names no pictures"),
        ("[]\n", "line 1: not a JSON object"),
        ('{"path": "a.jpg", "label": "x"\n', "line 1: not JSON"),
        (GOOD + "\npath,label\n", "line 3: not JSON"),
        (GOOD + '{"path": "b.jpg", "label": "x"} {}\n', "line 2: not JSON"),
        ('{"label": "x"}\n', "line 1: no `path`"),
        (GOOD + '{"path": "b.jpg"}\n', "line 2: no value for `label`"),
        (
            GOOD + '{"path": "b.jpg", "label": "x", "class_id": 1}\n',
            "line 2: `class_id`, which the first line does not",
        ),
        (GOOD + '{"path": "b.jpg", "label": " "}\n', "line 2: no value for `label`"),
        (GOOD + '{"path": "b.jpg", "label": null}\n', "line 2: `label` is no text"),
        (GOOD + '{"path": "b.jpg", "label": ["x"]}\n', "line 2: `label` is no text"),
        ('{"path": 7, "label": "x"}\n', "line 1: `path` is no text"),
        ('{"path": "a.jpg", "path": "b.jpg", "label": "x"}\n', "line 1: `path` stands there twice"),
        ('{"path": "a.jpg", "class_id": true}\n', "class_id true is not a number"),
        ('{"path": "a.jpg", "class_id": "1"}\n', 'class_id "1" is not a number'),
        ('{"path": "a.jpg", "class_id": -1}\n', "class_id -1 is not a number"),
        ('{"path": "a.jpg", "class_id": 1.0}\n', "class_id 1.0 is not a number"),
        ('{"path": "a.jpg", "label": "x\\ny"}\n', "control character"),
        ('{"path": "\\ud800.jpg", "label": "x"}\n', "control character"),
        ('{"path": "a.jpg", "label": "x", "box": [1, 2]}\n', "`box` is a list or an object"),
        ('{"path": "a.jpg", "label": "x", " path": "b.jpg"}\n', "is no name for a value"),
        ('{"path": "a.jpg", "label": "x", "lux": NaN}\n', "line 1: not JSON"),
        ('{"path": "a.jpg", "label": "x", "lux": ' + "9" * 5000 + "}\n", "line 1: not JSON"),
        ('{"path": "a.jpg", "label": ' + "[" * 100_000 + "\n", "line 1: not JSON"),
        ('{"path": "a.jpg", "label": "' + "x" * 2_000_000 + '"}\n', "line 1 is longer"),
        (GOOD + '{"path": "./a.jpg", "label": "x"}\n', r"line 2: \./a\.jpg is named in line 1 already"),
        (
            GOOD + '{"path": "1.jpg", "label": "x"}\n{"path": "2.jpg", "label": "x"}\n',
            "2 pictures are not there: 1.jpg, 2",
        ),
        (b'{"path": "\xff.jpg", "label": "x"}\n', "not text in UTF-8"),
    ],
)
def test_lines_that_are_not_in_order(tmp_path: Path, text: str | bytes, words: str) -> None:
    file = _lines(tmp_path, text)
    with pytest.raises(DataError, match=words) as caught:
        read_labelled(file)
    assert str(file) in caught.value.message
    assert len(str(caught.value).splitlines()) <= 2


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_ROW = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["a.jpg", "b.jpg", "./b.jpg", "c.jpg"]) | _JSON,
        "label": _JSON,
        "class_id": st.integers(-1, 3) | _JSON,
        "more": _JSON,
    },
)


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=120)
    | st.lists(_JSON | _ROW, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
)
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-lines"
    folder.mkdir(exist_ok=True)
    try:
        data = read_labelled(_lines(folder, content))
    except DataError as error:
        message = str(error)
        assert len(message.splitlines()) <= 2, message
    else:
        assert {path.as_posix() for path in data.paths} <= {"a.jpg", "b.jpg"}
        assert all(len(values) == len(data) for values in data.columns.values())


_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
_NAME = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6).filter(
    lambda name: name not in {"path", "label"}
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(_TEXT, st.dictionaries(_NAME, _TEXT | st.integers(), max_size=3)), min_size=1, max_size=9)
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, dict[str, Any]]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "written-lines"
    folder.mkdir(exist_ok=True)
    names = [f"{place}.jpg" for place in range(len(rows))]
    for name in names:
        (folder / name).touch()
    objects = [{"path": name, "label": label} | more for name, (label, more) in zip(names, rows, strict=True)]
    (folder / "t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    data = read_labelled(folder / "t.jsonl")
    assert [path.as_posix() for path in data.paths] == names
    assert [data.label(place) for place in range(len(rows))] == [label for label, _ in rows]
    for place, (_, more) in enumerate(rows):
        held = {name: values[place] for name, values in data.columns.items() if values[place]}
        assert held == {name: str(value) for name, value in more.items()}
