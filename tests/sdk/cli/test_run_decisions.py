"""`orilla run` with rules, a region and a configuration file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from tests.runtime.sinks.broker import Broker
from tests.sdk.cli.test_run import orilla_run

Unzip = Callable[[str], Path]


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


@pytest.fixture(scope="module")
def photo(unzipped: Unzip) -> Path:
    return unzipped("odd_images.zip") / "files" / "photo_ok.jpg"


def test_a_threshold_makes_an_unsure_picture_unknown_everywhere(model: Path, photo: Path, tmp_path: Path) -> None:
    written = tmp_path / "out.jsonl"
    done = orilla_run(model, photo, "--threshold", "1", "--jsonl", written, "--sqlite", tmp_path / "line.db")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    line = json.loads(written.read_text(encoding="utf-8"))
    assert done.stdout.split("\t")[1] == line["decision"]["label"] == "unknown"
    assert "below its threshold of 1" in line["decision"]["reason"]
    database = sqlite3.connect(tmp_path / "line.db")
    assert database.execute("SELECT label, decision FROM verdicts").fetchall() == [
        (line["predictions"][0]["label"], "unknown")
    ]
    database.close()
    sure = orilla_run(model, photo, "--threshold", "1", "--class-threshold", f"{line['predictions'][0]['label']}=0")
    assert sure.stdout.split("\t")[1] == line["predictions"][0]["label"]


def test_a_region_gives_what_the_cut_picture_gives(model: Path, photo: Path, tmp_path: Path) -> None:
    image = cv2.imread(str(photo))
    assert image is not None
    rows, columns = image.shape[:2]
    cut = image[rows // 4 : rows // 4 + rows // 2, columns // 4 : columns // 4 + columns // 2]
    cv2.imwrite(str(tmp_path / "whole.png"), image)
    cv2.imwrite(str(tmp_path / "cut.png"), cut)
    box = f"{columns // 4},{rows // 4},{columns // 2},{rows // 2}"
    seen, wanted = orilla_run(model, tmp_path / "whole.png", "--region", box), orilla_run(model, tmp_path / "cut.png")
    assert seen.stdout.split("\t")[1:] == wanted.stdout.split("\t")[1:]


def test_a_station_runs_from_its_file_and_the_command_line_goes_first(model: Path, photo: Path, tmp_path: Path) -> None:
    station = tmp_path / "station.toml"
    station.write_text(
        f'model = "{model}"\nsources = ["{photo}"]\ntop = 2\nthreshold = 1\nquiet = true\njsonl = "a.jsonl"\n'
        '[class-threshold]\n"military uniform" = 0.5\n',
        encoding="utf-8",
    )
    done = orilla_run("--config", station, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    line = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    assert (len(line["predictions"]), line["decision"]["label"]) == (2, "unknown")
    again = orilla_run("--config", station, "--threshold", "0", "--jsonl", "b.jsonl", cwd=tmp_path)
    assert again.returncode == 0
    line = json.loads((tmp_path / "b.jsonl").read_text(encoding="utf-8"))
    assert line["decision"]["label"] == line["predictions"][0]["label"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("treshold = 0.5", "Did you mean threshold?"),
        ("threshold = [1, 2]", "threshold takes one value"),
        ("quiet = 1", "quiet takes true or false"),
        ("threshold = true", "threshold takes one value"),
        ("threshold = 2", "threshold"),
        ("a = = 1", "is no TOML file"),
        ("[thresholds]\nfox = 0.5", "no option 'thresholds'"),
        ("[class-threshold]\nfoxx = 0.5", "no label of the model"),
        ("[class-threshold]\nfox = 'much'", "is not LABEL=SCORE"),
        ("region = '1,2,3'", "is no region"),
    ],
)
def test_a_wrong_file_is_refused_in_two_lines(model: Path, photo: Path, tmp_path: Path, text: str, words: str) -> None:
    station = tmp_path / "station.toml"
    station.write_text(text, encoding="utf-8")
    done = orilla_run("--config", station, model, photo)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_and_a_missing_model_are_named(tmp_path: Path) -> None:
    missing = orilla_run("--config", tmp_path / "none.toml")
    assert (missing.returncode, "none.toml cannot be read" in missing.stderr) == (2, True)
    (tmp_path / "station.toml").write_text("top = 1\n", encoding="utf-8")
    assert "Missing argument 'MODEL'" in orilla_run("--config", tmp_path / "station.toml").stderr


def test_unsure_pictures_are_saved_where_rules_say_what_is_unsure(model: Path, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unsure"
    done = orilla_run(model, photo, "--threshold", "1", "--save-unsure", folder, "--unsure-kind", "png")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    (saved,) = folder.iterdir()
    assert cv2.imread(str(saved)).shape == cv2.imread(str(photo)).shape
    assert saved.name.endswith(".png")
    full = orilla_run(model, photo, "--threshold", "1", "--save-unsure", folder, "--unsure-limit", "0.001")
    assert full.returncode == 0
    assert f"{folder} is full" in full.stderr
    assert list(folder.iterdir()) == [saved]
    for wrong, words in ((["--save-unsure", folder], "Without rules"), (["--unsure-limit", "5"], "--save-unsure")):
        refused = orilla_run(model, photo, *wrong)
        assert refused.returncode == 2
        assert words in refused.stderr


def test_verdicts_go_to_a_broker_and_its_password_nowhere(model: Path, photo: Path) -> None:
    broker = Broker(password="s3cret").start()
    done = orilla_run(model, photo, "--mqtt", f"mqtt://anna:s3cret@127.0.0.1:{broker.port}/line")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    (payload,) = broker.payloads("line")
    assert json.loads(payload)["source"] == str(photo)
    assert broker.retained == {"line/status": b"offline"}
    refused = orilla_run(model, photo, "--mqtt", f"mqtt://anna:wr0ng@127.0.0.1:{broker.port}/line")
    assert refused.returncode == 1
    assert "refuses the connection" in refused.stderr
    assert "wr0ng" not in refused.stderr + refused.stdout
    broker.kill()
