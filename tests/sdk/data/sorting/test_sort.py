"""Sorting never loses, overwrites or halves a file, whatever the table says and whenever it is interrupted."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orilla.data.sorting.filing import Filing, How
from orilla.data.sorting.model_sort import sort_by_model
from orilla.data.sorting.sort import sort_by_labels
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import read_labelled


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six files, two of them with the same name; to sort by labels nobody opens them."""
    for name in ("a.jpg", "b.jpg", "c.png", "new/a.jpg", "new/d.jpg", "new/e.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"the pixels of {name}".encode())
    return tmp_path / "photos"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str, header: str = "path,label") -> Path:
        file = tmp_path / "labels.csv"
        file.write_text("\n".join((header, *lines)) + "\n", "utf-8")
        return file

    return write


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


LINES = ("a.jpg,cat", "b.jpg,dog", "new/a.jpg,cat", "new/d.jpg,dog")
SORTED = {
    "cat/a-2.jpg": "the pixels of new/a.jpg",
    "cat/a.jpg": "the pixels of a.jpg",
    "dog/b.jpg": "the pixels of b.jpg",
    "dog/d.jpg": "the pixels of new/d.jpg",
}


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_files_go_to_their_classes(how: How, photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    before = content(photos)
    done = sort_by_labels(photos, table(*LINES), tmp_path / "sorted", how=how)
    assert content(tmp_path / "sorted") == SORTED
    assert (dict(done.folders), done.left) == ({"cat": 2, "dog": 2}, 2)
    stayed = {"c.png", "new/e.jpg"}
    assert content(photos) == ({name: before[name] for name in stayed} if how == "move" else before)
    assert (tmp_path / "sorted/dog/b.jpg").stat().st_nlink == (2 if how == "link" else 1)
    assert read_labelled(tmp_path / "sorted").classes == ("cat", "dog")


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_an_interrupted_job_goes_on(how: How, photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    file = table(*LINES)

    def interrupt(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sort_by_labels(photos, file, tmp_path / "sorted", how=how, progress=interrupt)
    assert len(content(tmp_path / "sorted")) == 2
    done = sort_by_labels(photos, file, tmp_path / "sorted", how=how)
    assert content(tmp_path / "sorted") == SORTED
    assert dict(done.folders) == {"cat": 2, "dog": 2}
    if how != "move":
        assert content(tmp_path / "sorted") == SORTED, "a third time changes nothing"


def test_another_file_that_is_there_is_not_overwritten(
    photos: Path, table: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "sorted" / "cat").mkdir(parents=True)
    (tmp_path / "sorted" / "cat" / "a.jpg").write_text("older")
    (tmp_path / "sorted" / "cat" / "A-2.jpg").symlink_to(tmp_path / "nowhere")
    sort_by_labels(photos, table("a.jpg,cat"), tmp_path / "sorted")
    assert content(tmp_path / "sorted")["cat/a.jpg"] == "older"
    assert "the pixels of a.jpg" in content(tmp_path / "sorted").values()


def test_a_table_may_name_files_by_their_last_part(photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    sort_by_labels(photos, table("d,pug", "e.jpg,pug", "C:\\shots\\c.png,cat", header="id,breed"), tmp_path / "sorted")
    assert set(content(tmp_path / "sorted")) == {"pug/d.jpg", "pug/e.jpg", "cat/c.png"}


@pytest.mark.parametrize(
    ("lines", "header", "says"),
    [
        (("a.jpg,cat", "nothing.jpg,dog"), "path,label", "1 picture is not below"),
        (("a.jpg,cat", "a.jpg,dog"), "path,label", "line 3"),
        (("sub/a.jpg,cat",), "path,label", "may be"),
        (("a.jpg,",), "path,label", "no value for `label`"),
        ((), "path,label", "names no pictures"),
        (("a.jpg,cat",), "photo,what", "has the columns photo, what"),
        (("a.jpg,../cat",), "path,label", "holds '/'"),
        (("a.jpg,..",), "path,label", "begins with a dot"),
        (("a.jpg,.hidden",), "path,label", "begins with a dot"),
        (("a.jpg,con.cat",), "path,label", "Windows"),
        (("a.jpg,cat?",), "path,label", "holds '?'"),
        (("a.jpg," + "x" * 300,), "path,label", "too long"),
        (("a.jpg,Cat", "b.jpg,cat"), "path,label", "one folder on many disks"),
    ],
)
def test_a_table_that_is_not_in_order_is_refused_before_anything_is_made(
    lines: tuple[str, ...], header: str, says: str, photos: Path, table: Callable[..., Path], tmp_path: Path
) -> None:
    before = content(photos)
    with pytest.raises(DataError, match=r"labels\.csv") as caught:
        sort_by_labels(photos, table(*lines, header=header), tmp_path / "sorted", how="move")
    assert says in str(caught.value)
    assert not (tmp_path / "sorted").exists()
    assert content(photos) == before


@pytest.mark.parametrize("name", ["../secret.jpg", "{}/secret.jpg", "new/../../secret.jpg", "..\\secret.jpg"])
def test_a_table_reaches_nothing_outside(name: str, photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"not for you")
    file = table(f"{name.format(tmp_path)},cat").rename(tmp_path / "tables" / "labels.csv")
    with pytest.raises(DataError, match="not below"):
        sort_by_labels(photos, file, tmp_path / "sorted", how="move")
    assert (tmp_path / "secret.jpg").exists()


def test_moving_what_is_in_its_place_already_keeps_it(photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    sort_by_labels(photos, table(*LINES), tmp_path / "sorted")
    again = table("cat/a.jpg,cat", "dog/b.jpg,dog").rename(tmp_path / "sorted" / "labels.csv")
    (photos / "cat").symlink_to(tmp_path / "sorted" / "cat")
    done = sort_by_labels(photos, again, tmp_path / "sorted", how="move")
    assert dict(done.folders) == {"cat": 1, "dog": 1}
    again.unlink()
    assert content(tmp_path / "sorted") == SORTED


def test_missing_folders_are_named(photos: Path, table: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        sort_by_labels(tmp_path / "nowhere", table("a.jpg,cat"), tmp_path / "sorted")
    with pytest.raises(DataError, match="Make the folder first"):
        sort_by_labels(photos, table("a.jpg,cat"), tmp_path / "no" / "sorted")
    with pytest.raises(DataError, match="no such CSV"):
        sort_by_labels(photos, tmp_path / "no.csv", tmp_path / "sorted")


def test_a_copy_that_fails_leaves_nothing(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"the pix")
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copy2", half)
    with pytest.raises(KeyboardInterrupt):
        Filing(tmp_path / "sorted").file(photos / "a.jpg", "cat")
    assert list((tmp_path / "sorted" / "cat").iterdir()) == []


def test_what_a_killed_copy_left_is_gone_after_the_next(photos: Path, tmp_path: Path) -> None:
    killed = (
        "import os, pathlib, shutil, sys\n"
        "from orilla.data.sorting.filing import Filing\n"
        "def half(source, target):\n"
        "    pathlib.Path(target).write_bytes(b'the pix')\n"
        "    os.kill(os.getpid(), 9)\n"
        "shutil.copy2 = half\n"
        "Filing(pathlib.Path(sys.argv[1])).file(pathlib.Path(sys.argv[2]), 'cat')\n"
    )
    into = tmp_path / "sorted"
    done = subprocess.run([sys.executable, "-c", killed, str(into), str(photos / "a.jpg")], check=False, timeout=60)
    assert done.returncode == -9
    assert [path.suffix for path in (into / "cat").iterdir()] == [".part"], "a reader of folders sees no picture"
    Filing(into).file(photos / "a.jpg", "cat")
    assert content(into) == {"cat/a.jpg": "the pixels of a.jpg"}


@pytest.fixture
def animals(unzipped: Callable[[str], Path], tmp_path: Path) -> Path:
    """Nine photos and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for index, path in enumerate(sorted((unzipped("cats_dogs_180.zip") / "cat").iterdir())[:9]):
        shutil.copy(path, folder / "more" / path.name if index % 2 else folder / path.name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


@pytest.fixture
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


def test_a_model_sorts_what_it_is_sure_of(animals: Path, model: Path, tmp_path: Path) -> None:
    into = tmp_path / "sorted"
    done = sort_by_model(animals, model, into, threshold=0.4)
    with (into / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "label", "score", "margin", "source"]
    assert len(rows) == 9
    for row in rows:
        assert (into / row["path"]).read_bytes() == Path(row["source"]).read_bytes()
        assert (Path(row["path"]).parent.name == "unsure") == (float(row["score"]) < 0.4)
        assert 0 <= float(row["margin"]) <= float(row["score"]) <= 1
    assert 0 < done.unsure < 9
    assert sum(done.folders.values()) == 9
    assert len(done.unreadable) == 1
    assert "broken.jpg" in done.unreadable[0]
    assert len(read_labelled(into / "predictions.csv")) == 9
    files = content_names(into)
    assert sort_by_model(animals, model, into, threshold=0.4).folders == done.folders
    assert content_names(into) == files


def content_names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_an_interrupted_move_keeps_the_scores(animals: Path, model: Path, tmp_path: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    into = tmp_path / "sorted"
    with pytest.raises(KeyboardInterrupt):
        sort_by_model(animals, model, into, threshold=0.4, how="move", progress=interrupt)
    assert 0 < len(read_labelled(into / "predictions.csv")) < 9
    sort_by_model(animals, model, into, threshold=0.4, how="move")
    assert len(read_labelled(into / "predictions.csv")) == 9
    assert [path.name for path in animals.rglob("*.jpg")] == ["broken.jpg"]


def test_another_table_in_the_way_is_kept(animals: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted" / "predictions.csv").write_text("my,own\n1,2\n")
    with pytest.raises(UsageError, match="not from sorting"):
        sort_by_model(animals, model, tmp_path / "sorted")
    assert content_names(tmp_path / "sorted") == {"predictions.csv"}


def test_what_cannot_sort_is_refused(animals: Path, model: Path, shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="threshold"):
        sort_by_model(animals, model, tmp_path / "sorted", threshold=1.5)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["Unsure", *(f"class {number}" for number in range(1000))]))
    with pytest.raises(UsageError, match="Rename the class"):
        sort_by_model(animals, model, tmp_path / "sorted", labels=names)
    assert not (tmp_path / "sorted").exists()


def test_labels_that_are_no_folder_names_are_written_as_such(animals: Path, model: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["../up/" if number % 2 else "..\\Up\\" for number in range(1001)]))
    done = sort_by_model(animals, model, tmp_path / "sorted", threshold=0, labels=names)
    assert sum(done.folders.values()) == 9
    assert all("/" not in folder and "\\" not in folder for folder in done.folders)
    assert len(list((tmp_path / "sorted").rglob("*.jpg"))) == 9
