"""The report: one page that needs nothing else, whatever the labels and the file names hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.cli import invoke as run
from orilla_converters.conversion import convert
from orilla_converters.gates import gate_for
from orilla_converters.metrics import compare
from orilla_converters.recipe import Recipe
from orilla_converters.report.page import Report, write_report
from orilla_converters.report.pictures import thumbnail
from orilla_converters.results import ConversionResult
from orilla_converters.standing import Standing, standings
from orilla_converters.verify import Verdict
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import GateError
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.labelled.reading import read_labelled
from tests.converters.conftest import Bench

VOID = {"meta", "img", "br", "link", "hr", "input"}
HOSTILE = ["<script>alert(1)</script>", '"onerror="alert(2)', "a & b", "$title"]


@dataclass
class Page(HTMLParser):
    """Reads a page strictly: every element is closed, and every address is noted."""

    text: str = ""
    tags: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "data"}]
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open_tags.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open_tags == []
    assert "script" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses), "nothing from outside"
    assert "url(http" not in path.read_text(encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def reported(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> ConversionResult:
    """Two of the artifacts of `converted`, timed, with a report."""
    folder = tmp_path_factory.mktemp("report")
    return convert(
        bench.model,
        data=bench.digits,
        output=folder / "digits.orilla",
        recipes=[Recipe("tflite", "float32"), Recipe("tflite", "int8")],
        thresholds=[0.99],
        report=folder / "digits.html",
        jobs=2,
    )


def test_the_page_holds_all_figures(reported: ConversionResult) -> None:
    assert reported.report is not None
    page = read_page(reported.report)
    assert page.tags.count("svg") == 1
    for artifact in reported.artifacts:
        assert artifact.latency is not None
        name = artifact.path.removeprefix("artifacts/")
        figures = [name, f"{artifact.bytes:,}", f"{artifact.latency.median:.3g} ms", f"{artifact.cosine:.5f}"]
        assert all(figure in page.text for figure in figures), name
    for word in ("passed", "default", "Pareto", "Untied", "at 0.99", "Keras accepts", "calibrated on", "sha256"):
        assert word in page.text
    assert reported.bundle_id in page.text
    picture = cv2.imread(str(reported.report.with_suffix(".png")))
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] > 500
    assert sorted(path.name for path in reported.report.parent.iterdir()) == [
        "digits.html",
        "digits.orilla",
        "digits.png",
    ]


def test_timing_changes_nothing_but_the_defaults(reported: ConversionResult, converted: ConversionResult) -> None:
    with open_bundle(reported.path) as timed, open_bundle(converted.path) as untimed:
        for artifact in timed.manifest.artifacts:
            assert timed.read(artifact.path) == untimed.read(artifact.path)
            assert artifact == untimed.artifact(artifact.path)
        assert timed.manifest.defaults["tflite"] in {artifact.path for artifact in timed.manifest.artifacts}
        assert timed.manifest.extra == untimed.manifest.extra
        assert timed.manifest.training == untimed.manifest.training


def test_the_bundle_keeps_the_figures_without_a_clock(converted: ConversionResult) -> None:
    with open_bundle(converted.path) as bundle:
        report = json.loads(bundle.read("report/verification.json"))
    for row, artifact in zip(report["artifacts"], converted.artifacts, strict=True):
        assert row["artifact"] == artifact.path
        assert artifact.latency is None
        assert artifact.time_ratio is None
        assert row["cosine"] == artifact.cosine > 0.99
        assert 0 < row["untied_to_place_5"] == artifact.untied <= 1
        assert [flips["threshold"] for flips in row["thresholds"]] == [0.5, 0.7, 0.9]
        assert all(flips["n"] == artifact.metrics.n for flips in row["thresholds"])
        errors = [worst["max_abs_error"] for worst in row["worst"]]
        assert errors == sorted(errors, reverse=True)
        assert len(row["worst"][0]["keras"]) == 3
    assert {artifact.path for artifact in converted.artifacts if artifact.default} == {
        "artifacts/int8.tflite",
        "artifacts/int8.onnx",
    }
    assert any(artifact.pareto for artifact in converted.artifacts)
    sizes = {artifact.path: artifact.size_ratio for artifact in converted.artifacts}
    assert sizes["artifacts/float32.onnx"] == 1.0
    assert not any(artifact.larger for artifact in converted.artifacts)


def hostile_rows(folder: Path) -> tuple[tuple[Standing, ...], LabelledImages]:
    """An artifact that passed, one that failed and one that did not run, judged on pictures with dangerous names."""
    for number in range(20):
        name = f"<img src=x onerror=alert({number})>&.png"
        cv2.imwrite(str(folder / name), np.full((40, 30, 3), 12 * number, np.uint8))
    keras = np.random.default_rng(0).dirichlet(np.ones(4), 20).astype(np.float32)
    comparison = compare(keras, np.roll(keras, 1, axis=1), np.arange(20, dtype=np.int64) % 4)
    verdicts = [
        Verdict(Recipe("tflite", precision), bytes(size), (), (), gate_for(precision, labelled=True), found, tuple(why))
        for precision, size, found, why in (
            ("float32", 4000, comparison, []),
            ("int8", 5000, comparison, ["it is <b>bad</b>"]),
            ("float16", 2000, None, ["it does not run"]),
        )
    ]
    return standings(verdicts, {}, {}), read_labelled(folder, labelled=False).aligned(HOSTILE)


def test_labels_and_file_names_are_text(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    rows, images = hostile_rows(tmp_path / "pictures")
    error = GateError("2 of 3 artifacts <u>failed</u>.", "Try $HOME & more.")
    report = Report("<i>.orilla", "", rows, images, HOSTILE, {"model": "<u>m"}, error, {"int8.tflite": ["<s>step</s>"]})
    write_report(tmp_path / "a.html", report)
    page = read_page(tmp_path / "a.html")
    for text in (
        *HOSTILE,
        "<img src=x onerror=alert(",
        "<b>bad</b>",
        "<i>.orilla",
        "<u>m",
        "$HOME & more",
        "<s>step",
    ):
        assert text in page.text, text
    assert page.tags.count("img") == 10, "the five worst pictures of the two that ran"
    assert "larger" in page.text
    assert "does not run" in page.text


def test_a_picture_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert thumbnail(tmp_path / "gone.png") == ("", False)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((600, 300, 3), np.uint8))
    address, tiny = thumbnail(tmp_path / "a.png")
    assert address.startswith("data:image/jpeg")
    assert not tiny


@pytest.mark.parametrize(
    ("report", "word"),
    [("a.pdf", "ends in .html"), ("no/a.html", "there is no folder"), ("b.html", "is a folder")],
)
def test_a_report_that_cannot_be_is_refused_at_once(
    report: str, word: str, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.html").mkdir()
    arguments = ["convert", str(bench.model), "--data", str(bench.digits), "-o", str(tmp_path / "a.orilla")]
    assert run([*arguments, "--report", str(tmp_path / report)]) != 0
    assert word in capsys.readouterr().err
