"""Labelled pictures from folders and tables, and every way in which they can be out of order."""

from __future__ import annotations

import csv
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages, read_labelled, require_classes


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return root


def _table(root: Path, text: str | bytes, *pictures: str) -> Path:
    _touch(root, *pictures)
    file = root / "table.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def _posix(data: LabelledImages) -> list[str]:
    return [path.as_posix() for path in data.paths]


def test_a_subfolder_is_a_class(tmp_path: Path) -> None:
    _touch(tmp_path, "dog/2.JPG", "cat/deep/b.png", "cat/a.webp", "dog/.hidden.jpg", ".git/x.jpg", "dog/notes.txt")
    data = read_labelled(tmp_path)
    assert data.classes == ("cat", "dog")
    assert _posix(data) == ["cat/a.webp", "cat/deep/b.png", "dog/2.JPG"]
    assert data.class_ids is not None
    assert data.class_ids.dtype == np.int64
    assert data.class_ids.tolist() == [0, 0, 1]
    assert [data.label(index) for index in range(len(data))] == ["cat", "cat", "dog"]
    assert data.full_path(2) == tmp_path / "dog" / "2.JPG"
    assert not data.ids_given
    require_classes(data, 2)


def test_the_real_folders(unzipped: Callable[[str], Path]) -> None:
    folder = unzipped("cats_dogs_180.zip")
    root = next(path.parent for path in folder.rglob("cat") if path.is_dir())
    data = read_labelled(root)
    assert data.classes == ("cat", "dog")
    assert data.class_ids is not None
    assert np.bincount(data.class_ids).tolist() == [600, 599]
    half = data.subset(np.arange(0, len(data), 2))
    assert len(half) == 600
    assert half.full_path(1) == data.full_path(2)
    assert half.classes == data.classes


def test_pictures_without_classes(tmp_path: Path) -> None:
    _touch(tmp_path, "b.jpg", "a.png", "c.txt")
    data = read_labelled(tmp_path, labelled=False)
    assert _posix(data) == ["a.png", "b.jpg"]
    assert data.class_ids is None
    assert data.label(0) is None
    assert data.aligned(["x"]) is data
    with pytest.raises(DataError, match="no subfolders with pictures"):
        read_labelled(tmp_path)
    with pytest.raises(DataError, match="no labels"):
        require_classes(data, 1)


def test_labels_are_used_where_there_are_some(tmp_path: Path) -> None:
    assert read_labelled(_touch(tmp_path, "cat/a.jpg", "dog/b.jpg"), labelled=False).classes == ("cat", "dog")


def test_pictures_beside_the_class_folders_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        data = read_labelled(_touch(tmp_path, "cat/a.jpg", "stray.jpg"))
    assert len(data) == 1
    assert "1 pictures beside the class folders" in caplog.text


def test_links_do_not_give_a_class_the_pictures_of_others(tmp_path: Path) -> None:
    _touch(tmp_path, "cat/a.jpg", "dog/b.jpg")
    try:
        (tmp_path / "cat" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat", target_is_directory=True)
        (tmp_path / "linked").symlink_to(_touch(tmp_path / ".store", "c.jpg"), target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    data = read_labelled(tmp_path)
    assert _posix(data) == ["cat/a.jpg", "dog/b.jpg", "linked/c.jpg"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds no pictures"),
        (["notes.txt"], "holds no pictures"),
        (["cat/a.jpg", "dog/readme.txt"], "class folder .*dog holds no pictures"),
        (["train/cat/a.jpg", "val/cat/b.jpg"], r"splits \(train, val\)"),
        (["cat/a.jpg", os.fsdecode(b"se\xf1al/b.jpg")], "no UTF-8"),
    ],
)
def test_a_folder_that_is_not_in_order(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_labelled(_touch(tmp_path, *names))
    assert str(tmp_path) in caught.value.message
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["gone", "photo.jpg", "nul\0", "x" * 300, ""])
def test_what_is_neither_folder_nor_table(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, "photo.jpg")
    with pytest.raises(DataError) as caught:
        read_labelled(os.path.join(tmp_path, name) if name else "")  # noqa: PTH118
    assert len(str(caught.value).splitlines()) <= 2


def test_one_class_is_enough_to_judge_and_not_to_train(tmp_path: Path) -> None:
    data = read_labelled(_touch(tmp_path, "cat/a.jpg", "cat/b.jpg"))
    require_classes(data, 1)
    with pytest.raises(DataError, match=r"1 class \(cat\); 2 are needed"):
        require_classes(data, 2)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_of_labels(tmp_path: Path, mark: bytes, end: str) -> None:
    lines = ["more,label, path ", "1,Käfer,b/ä.jpg", "", '2,"ant, red",a.jpg', ","]
    file = _table(tmp_path, mark + end.join(lines).encode(), "a.jpg", "b/ä.jpg")
    data = read_labelled(file)
    assert data.root == tmp_path
    assert _posix(data) == ["b/ä.jpg", "a.jpg"]
    assert data.classes == ("Käfer", "ant, red")
    assert data.class_ids is not None
    assert data.class_ids.tolist() == [0, 1]


def test_a_table_of_ids(tmp_path: Path) -> None:
    data = read_labelled(_table(tmp_path, "path,class_id\na.jpg,3\nb.jpg,0\n", "a.jpg", "b.jpg"))
    assert data.classes is None
    assert data.ids_given
    assert data.class_ids is not None
    assert data.class_ids.tolist() == [3, 0]
    assert data.label(0) == "3"
    assert data.aligned("wxyz").classes == ("w", "x", "y", "z")
    with pytest.raises(DataError, match="class_id 3 is none of the model's 3 classes"):
        data.aligned("wxy")
    with pytest.raises(DataError, match="no picture has class_id 1"):
        require_classes(data, 2)


def test_a_table_of_ids_and_labels(tmp_path: Path) -> None:
    text = "path,label,class_id\na.jpg,crane,3\nb.jpg,ant,0\nc.jpg,crane,1\n"
    data = read_labelled(_table(tmp_path, text, "a.jpg", "b.jpg", "c.jpg"))
    assert data.classes == ("ant", "crane", "", "crane")
    aligned = data.aligned(["ant", "crane", "owl", "crane"])
    assert aligned.class_ids is not None
    assert aligned.class_ids.tolist() == [3, 0, 1]
    with pytest.raises(DataError, match="class_id 1 is 'crane' in the data and 'owl' in the model"):
        data.aligned(["ant", "owl", "crane", "crane"])


def test_a_table_of_windows_and_one_of_absolute_paths(tmp_path: Path) -> None:
    text = f"path,label\nsub\\a.jpg,x\n{tmp_path}/b.jpg,y\n"
    data = read_labelled(_table(tmp_path, text, "sub/a.jpg", "b.jpg"))
    assert _posix(data) == ["sub/a.jpg", "b.jpg"]


def test_a_table_of_paths_alone(tmp_path: Path) -> None:
    file = _table(tmp_path, "path\na.jpg\n", "a.jpg")
    assert read_labelled(file, labelled=False).class_ids is None
    with pytest.raises(DataError, match="no column `label` or `class_id`"):
        read_labelled(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column `path`"),
        ("path,label\n", "names no pictures"),
        ("path;label\na.jpg;x\n", "no column `path`"),
        ("file,label\na.jpg,x\n", "no column `path`"),
        ("path,path,label\na.jpg,a.jpg,x\n", "column `path` twice"),
        ("path,label\na.jpg\n", "line 2: no value for `label`"),
        ("path,label\n,x\n", "line 2: no value for `path`"),
        ("path,class_id\na.jpg,-1\n", "line 2: class_id '-1' is not a number"),
        ("path,class_id\na.jpg,1.0\n", "class_id '1.0' is not a number"),
        ("path,class_id\na.jpg,99999999\n", "is not a number of 0 to"),
        ("path,class_id\na.jpg,²\n", "is not a number"),
        ("path,class_id,label\na.jpg,1,x\nb.jpg,1,y\n", "line 3: class_id 1 is 'y' here and 'x' above"),
        ("path,label\na.jpg,x\n./a.jpg,x\n", r"line 3: \./a\.jpg is named in line 2 already"),
        (
            "path,label\na.jpg,x\n1.jpg,x\n2.jpg,x\n3.jpg,x\n4.jpg,x\n",
            "4 pictures are not there: 1.jpg, 2",
        ),
        ('path,label\n"a.jpg,x\n', "not a CSV|control character"),
        ('path,label\na.jpg,"x\ny"\n', "control character"),
        (b"path,label\n\xff\xfe.jpg,x\n", "not text in UTF-8"),
        ("path,label\na.jpg,x\n".encode("utf-16"), "not text in UTF-8"),
        ("path,label\na.jpg," + "x" * 200_000 + "\n", "not a CSV"),
        (b"path,label\na.jpg\0,x\n", "control character|not a CSV"),
        ("path,label\na.jpg,ant, red\n", "line 2: 3 values for 2 columns"),
        ("path,label,light,light\na.jpg,x,1,2\n", "column `light` twice"),
    ],
)
def test_a_table_that_is_not_in_order(tmp_path: Path, text: str | bytes, words: str) -> None:
    file = _table(tmp_path, text, "a.jpg", "b.jpg")
    with pytest.raises(DataError, match=words) as caught:
        read_labelled(file)
    assert str(file) in caught.value.message
    assert len(str(caught.value).splitlines()) <= 2


def _below_a_header(text: str) -> bytes:
    return f"path,label\n{text}".encode("utf-8", "replace")


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=120) | st.text(max_size=120).map(_below_a_header))
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    file = _table(folder, content, "a.jpg")
    try:
        read_labelled(file)
    except DataError as error:
        message = str(error)
        assert len(message.splitlines()) <= 2, message


_NAME = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 200), _NAME, st.integers(0, 5)), min_size=1, max_size=12, unique_by=lambda row: row[0]
    )
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]]) -> None:
    folder = tmp_path_factory.getbasetemp() / "written"
    folder.mkdir(exist_ok=True)
    names = [f"{number}.jpg" for number, _, _ in rows]
    _touch(folder, *names)
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["label", "path"])
        table.writerows([label, name] for name, (_, label, _) in zip(names, rows, strict=True))
    data = read_labelled(folder / "t.csv")
    assert _posix(data) == names
    assert [data.label(index) for index in range(len(data))] == [label for _, label, _ in rows]


def test_other_columns_are_kept_as_text(tmp_path: Path) -> None:
    text = "path,label,group, light ,,split\na.jpg,x,7, dim ,left out,train\nb.jpg,y,,,,test\nc.jpg,y\n"
    data = read_labelled(_table(tmp_path, text, "a.jpg", "b.jpg", "c.jpg"))
    assert data.columns == {"group": ("7", "", ""), "light": ("dim", "", ""), "split": ("train", "test", "")}
    assert data.subset([2, 0]).columns["split"] == ("", "train")
    assert data.aligned(["y", "x"]).columns == data.columns
    plain = read_labelled(_table(tmp_path, "path,label\na.jpg,x\nb.jpg,y\nc.jpg,y\n"))
    assert plain.columns == {}
    assert plain.digest() == data.digest()
    with pytest.raises(DataError, match="3 pictures and 1 values for `light`"):
        LabelledImages(data.root, data.paths, data.class_ids, data.classes, columns={"light": ("dim",)})


@pytest.mark.parametrize(
    ("names", "warned"),
    [
        (["Cat", "cat "], ["'Cat' (1) and 'cat' (1) are different classes"]),
        (["K\u00e4fer", "Ka\u0308fer"], ["are different classes"]),
        (["T-shirt", "t shirt", "MT_Free", "mt free"], ["'MT_Free' (1)", "'T-shirt' (1) and 't shirt' (1)"]),
        (["A", "a"], []),
        (["-1", "1", "10", "cat", "cats"], []),
    ],
)
def test_classes_in_two_spellings_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str], warned: list[str]
) -> None:
    lines = "".join(f"{place}.jpg,{name}\n" for place, name in enumerate(names))
    file = _table(tmp_path, f"path,label\n{lines}", *(f"{place}.jpg" for place in range(len(names))))
    with caplog.at_level(logging.WARNING):
        assert read_labelled(file).classes == tuple(sorted(name.strip() for name in names))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(warned)
    for message, words in zip(messages, warned, strict=True):
        assert words in message
        assert str(file) in message
        assert "spell them the same" in message


def test_alignment_by_name(tmp_path: Path) -> None:
    data = read_labelled(_touch(tmp_path, "crane/a.jpg", "owl/b.jpg"))
    aligned = data.aligned(["owl", "ant", "crane"])
    assert aligned.class_ids is not None
    assert aligned.class_ids.tolist() == [2, 0]
    assert aligned.classes == ("owl", "ant", "crane")
    assert aligned.label(0) == "crane"
    again = aligned.aligned(["owl", "ant", "crane"])
    assert again.class_ids is not None
    assert again.class_ids.tolist() == [2, 0]
    with pytest.raises(DataError, match="the class 'owl' is no label of the model"):
        data.aligned(["crane", "Owl"])
    with pytest.raises(DataError, match="2 classes named 'crane'") as caught:
        data.aligned(["crane", "owl", "crane"])
    assert "class_id" in caught.value.remedy


def test_the_digest_knows_content_labels_and_names_and_nothing_else(tmp_path: Path) -> None:
    first = read_labelled(_touch(tmp_path / "one", "cat/a.jpg", "dog/b.jpg"))
    _touch(tmp_path / "two", "dog/b.jpg", "cat/a.jpg")
    second = read_labelled(tmp_path / "two")
    digest = first.digest()
    assert len(digest) == 64
    assert second.digest() == digest
    table = _table(tmp_path / "two", "path,label\ndog/b.jpg,dog\ncat/a.jpg,cat\n")
    assert read_labelled(table).digest() == digest
    assert first.subset([1, 0]).digest() == digest
    assert first.subset([0]).digest() != digest
    swapped = _table(tmp_path / "two", "path,label\ndog/b.jpg,cat\ncat/a.jpg,dog\n")
    assert read_labelled(swapped).digest() != digest
    (tmp_path / "two" / "dog" / "b.jpg").write_bytes(b"other")
    assert second.digest() != digest
    (tmp_path / "two" / "dog" / "b.jpg").unlink()
    with pytest.raises(DataError, match=r"b\.jpg cannot be read"):
        second.digest()


def test_a_folder_that_may_not_be_listed() -> None:
    # Root may list everything, so as root this test is nobody for a while; nobody needs a folder outside tmp_path.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        _touch(folder, "cat/a.jpg")
        (folder / "cat").chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            with pytest.raises(DataError, match="cannot be read"):
                read_labelled(folder)
        finally:
            if root:
                os.seteuid(0)
            (folder / "cat").chmod(0o755)
