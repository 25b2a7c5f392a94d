"""The page: whole, without anything from outside, and safe with every label and path."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla.evaluation.evaluate import ArtifactEvaluation, Evaluation
from orilla.evaluation.judgement import Criteria, judge
from orilla.evaluation.report.card import training_facts
from orilla.evaluation.report.page import check_page, read_intended_use, write_report
from orilla_runtime.errors import DataError, SinkError, UsageError
from orilla_runtime.labelled import LabelledImages
from tests.sdk.evaluation.test_judgement import drawn

HOSTILE = '<script>alert("x")</script>&\'$x^2_'


class Reading(HTMLParser):
    """What a page is made of; complains of tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.unnamed: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.ids[given.get("id") or ""] += 1
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action", "data"}]
        if (tag == "img" and not given.get("alt")) or (tag == "svg" and not given.get("aria-label")):
            self.unnamed.append(tag)
        if tag not in {"meta", "img", "br", "link", "input"}:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_stands_alone(path: Path) -> Reading:
    page = path.read_text(encoding="utf-8")
    read = Reading(page)
    assert not [link for link in read.links if not link.startswith(("#", "data:image/"))]
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\((?!#)", re.sub(r"data:image/[\w;,+/=]+", "", page))
    assert not read.unnamed
    assert not [name for name, n in read.ids.items() if name and n > 1]
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)
    assert "script" not in read.tags
    return read


def evaluation(folder: Path, classes: int = 3, n: int = 90, *, artifacts: int = 1, **training: Any) -> Evaluation:
    """Drawn scores of pictures that lie in a folder; class 0, a folder and a slice have hostile names."""
    labels = (HOSTILE, *(f"class {index}" for index in range(1, classes)))
    names = [f"{HOSTILE.replace('/', '-')}{index}.png" for index in range(n)]
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", np.full((6, 80), 99, np.uint8))[1].tobytes())
    scores, truth = drawn(n, classes, 5)
    slices = {"line": [HOSTILE if index % 3 else "b" for index in range(n)]}
    criteria = Criteria(ok_class=HOSTILE)
    found = []
    for place in range(artifacts):
        judged = judge(np.roll(scores, place, axis=0), truth, labels, paths=names, slices=slices, criteria=criteria)
        predicted = tuple(judged.answers.predicted.tolist())
        precision = "float32" if place == 0 else "int8"
        found.append(
            ArtifactEvaluation(f"a{place}.tflite", "tflite", precision, judged.accuracy, 0.5, predicted, judged)
        )
    images = LabelledImages(folder, tuple(map(Path, names)), truth, labels)
    return Evaluation(
        labels, tuple(names), tuple(truth.tolist()), tuple(found), note="a < note", images=images, training=training,
        failed=(("gone.png", "gone.png cannot be read"),),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


HISTORY = [
    {"phase": "head" if n < 2 else "fine-tune", "epoch": n + 1, "epochs": 8, "loss": 1 / (n + 1), "accuracy": 0.99}
    | {"val_loss": 0.5 + n / 10, "val_accuracy": 0.7, "learning_rate": 0.1}
    for n in range(8)
]


def test_the_page_tells_everything_and_stands_alone(folder: Path, tmp_path: Path) -> None:
    training = {
        "history": HISTORY, "best": HISTORY[4], "seed": 7, "recipe": {"epochs": 8, HOSTILE: {"x": 1}},
        "split": {"train": ["a"], "validation": [], "test": ["b"]},
        "temperature": {"value": 1.5, "n": 50, "ece_before": 0.1, "ece_after": 0.05},
    }  # fmt: skip
    found = evaluation(folder, artifacts=2, **training)
    path = write_report(
        tmp_path / "page.html", "m<o>del.orilla", "photos & more", found, intended_use="For <b>parts</b>."
    )
    read = assert_stands_alone(path)
    plots = sorted(file.name for file in (tmp_path / "page").iterdir())
    assert plots == sorted(
        f"{name}.png"
        for name in ("confusion", "reliability", "thresholds", "roc", "precision-recall", "slice-0", "accuracy", "loss")
    )
    for name in plots:
        assert cv2.imread(str(tmp_path / "page" / name)).std() > 1
    assert read.tags["svg"] == len(plots)
    assert read.tags["img"] == len(found.artifacts[0].judgement.mistakes)
    for text in (HOSTILE, "m<o>del.orilla", "photos & more", "For <b>parts</b>.", "a < note", "Overfitting", "1.500"):
        assert text in read.text
    assert "1 picture could not be read" in read.text
    assert path.stat().st_size < 1_000_000


def test_the_same_evaluation_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    found = evaluation(folder)
    first = write_report(tmp_path / "page.html", "m.tflite", "photos", found)
    before = {file: file.read_bytes() for file in [first, *(tmp_path / "page").iterdir()]}
    write_report(tmp_path / "page.html", "m.tflite", "photos", found)
    assert before == {file: file.read_bytes() for file in before}


@pytest.mark.parametrize(("classes", "n"), [(1, 4), (2, 1), (80, 60), (400, 30)])
def test_odd_sizes(classes: int, n: int, folder: Path, tmp_path: Path) -> None:
    found = evaluation(folder, classes, n) if n > 3 else _single(folder, classes)
    read = assert_stands_alone(write_report(tmp_path / "page.html", "m.tflite", "photos", found))
    assert ("confusion.png" in [file.name for file in (tmp_path / "page").iterdir()]) == (classes <= 60)
    assert "Model card" in read.text


def _single(folder: Path, classes: int) -> Evaluation:
    (folder / "one.png").write_bytes(b"no picture any more")
    labels = tuple(f"c{index}" for index in range(classes))
    judged = judge(np.eye(classes)[:1], np.array([1]), labels, paths=["one.png"])
    entry = ArtifactEvaluation("m", "onnx", None, judged.accuracy, None, (0,), judged)
    images = LabelledImages(folder, (Path("one.png"),), np.array([1]), labels)
    return Evaluation(labels, ("one.png",), (1,), (entry,), images=images)


def test_what_training_started_from_is_told_by_name_and_content() -> None:
    started = {"weights": {"file": "net.h5", "sha256": "ab" * 32}, "start": {"file": "m.keras", "sha256": "cd" * 32}}
    assert training_facts(started) == {
        "started from": f"net.h5, sha256 {'ab' * 32}",
        "goes on from": f"m.keras, sha256 {'cd' * 32}",
    }
    assert training_facts({"weights": "imagenet", "start": None}) == {"started from": "imagenet"}


def test_a_place_that_cannot_take_the_page_is_found_first(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("a file")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(SinkError, match="plots go into"):
        check_page(tmp_path / "page.html")
    with pytest.raises(SinkError, match="is a folder"):
        check_page(tmp_path / "folder.html")
    with pytest.raises(SinkError, match="no folder"):
        check_page(tmp_path / "nowhere" / "page.html")
    with pytest.raises(UsageError, match=r"page\.html"):
        check_page(tmp_path / "page.pdf")


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.txt").write_bytes("Für Teile.\n".encode())
    assert read_intended_use(tmp_path / "card.txt") == "Für Teile."
    for content in (b"\xff\xfe\x00", b"x" * 100_000):
        (tmp_path / "card.txt").write_bytes(content)
        with pytest.raises(DataError, match=r"card\.txt"):
            read_intended_use(tmp_path / "card.txt")
    with pytest.raises(DataError, match="nowhere"):
        read_intended_use(tmp_path / "nowhere.txt")
