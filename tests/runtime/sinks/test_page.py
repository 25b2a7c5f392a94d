"""The page's server as a browser, a supervisor and a client that never reads meet it."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import UsageError
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.service.address import Address
from orilla_runtime.sinks.base import Counts, Record, Timing
from orilla_runtime.sinks.page import page_opener
from orilla_runtime.sinks.page.sink import PageSink
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.tasks.classification import Classification, Decision, Prediction
from orilla_runtime.tasks.raw import RawOutputs
from tests.runtime.pipeline.stage import Camera, Shows
from tests.runtime.service.clients import ask, connect, everything, wait_for
from tests.runtime.sinks.records import RESULT, failure_record, frame_record

TOKEN = "a-token-of-some-length"
LOOPBACK = Address("127.0.0.1", 0)


@pytest.fixture
def page() -> Generator[PageSink, None, None]:
    sink = PageSink(LOOPBACK)
    yield sink
    sink.close()


def live(source: str, index: int = 0, **values: Any) -> Record:
    return replace(frame_record(source, index, **values), timing=Timing(1.0, 2.0, 3.0, 4.0, 20.0))


def state(page: PageSink) -> Any:
    return ask(page.url, "/state.json").json


def test_the_page_is_one_file_that_loads_and_runs_nothing_else(page: PageSink) -> None:
    answer = ask(page.url, "/")
    text, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"https?://|@import|url\(", text)
    assert not re.findall(r"<[^>]*\s(?:on\w+|style)\s*=", text)
    assert "innerHTML" not in text
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; ")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def colours(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_text_can_be_read_on_light_and_on_dark(page: PageSink) -> None:
    themes = re.findall(r":root \{(.*?)\}", ask(page.url, "/").body.decode(), re.DOTALL)
    assert len(themes) == 2
    for theme in map(colours, themes):
        for back in ("back", "card"):
            for text in ("text", "dim", "good", "busy", "bad", "link"):
                assert contrast(theme[text], theme[back]) >= 4.5, (text, back)
        assert contrast(theme["warn-text"], theme["warn-back"]) >= 4.5
        assert contrast(theme["best"], theme["track"]) >= 3  # a bar is no text
        assert contrast(theme["dim"], theme["card"]) >= 3  # the edge of a button


def test_what_the_page_shows_of_a_frame(page: PageSink) -> None:
    decided = Classification(RESULT.predictions, Decision("unknown", None, 0.75, "tabby has 0.75, below 0.8"))
    page.write(live("camera 0", 7, result=decided))
    shown = state(page)
    assert (shown["status"], shown["counts"]) == ("ok", {"processed": 1, "failed": 0})
    assert shown["model"] == {"artifact": "artifacts/int8.tflite", "engine": "litert/cpu", "bundle": "ab" * 32}
    (lane,) = shown["lanes"]
    assert (lane["name"], lane["source"], lane["index"], lane["size"]) == ("camera 0", "camera 0", 7, [64, 48])
    assert [one["label"] for one in lane["predictions"]] == ["tabby", "Katze, groß"]
    assert lane["decision"] == {"label": "unknown", "class_id": None, "reason": "tabby has 0.75, below 0.8"}
    assert lane["latency_ms"] == {"p50": 10.0, "p95": 10.0}
    assert lane["verdict_age_ms"] == {"p50": 20.0, "p95": 20.0}


def test_raw_outputs_are_named(page: PageSink) -> None:
    page.write(live("camera 0", result=RawOutputs({"boxes": np.zeros((1, 4), np.float32)})))
    assert state(page)["lanes"][0]["outputs"] == ["boxes float32[1, 4]"]


def test_labels_are_data_and_bounded(page: PageSink) -> None:
    hostile = "</script><script>alert(1)</script>\n\u202e" + "x" * 5000
    page.write(live(hostile, result=Classification((Prediction(hostile, 0, 1.0),))))
    answer = ask(page.url, "/state.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    label = answer.json["lanes"][0]["predictions"][0]["label"]
    assert label.startswith("</script><script>alert(1)</script>\\n\\u202e")
    assert len(label) == 300
    assert hostile[:9] not in ask(page.url, "/").body.decode().rpartition("</script>")[0]


def test_each_camera_has_a_lane_and_files_share_one(page: PageSink) -> None:
    page.follow(lambda: Counts(5, 1, 3, 2), ["camera 1", "camera 0", "watch:in"])
    page.write(live("camera 0", 1))
    page.write(live("in/a.jpg", 0))
    page.write(live("in/b.jpg", 1))
    page.write(live("camera 1", 2))
    page.write(replace(failure_record("camera 1", 3)))
    shown = state(page)
    assert shown["counts"] == {"processed": 5, "failed": 1, "dropped": 3, "skipped": 2}
    assert [(lane["name"], lane["source"]) for lane in shown["lanes"]] == [
        ("camera 1", "camera 1"),
        ("camera 0", "camera 0"),
        ("in/b.jpg", "in/b.jpg"),
    ]
    assert shown["lanes"][0]["error"] == "camera 1 is a JPEG that is cut off."
    page.write(live("camera 1", 4))
    assert state(page)["lanes"][0]["error"] == ""


def test_thousands_of_names_stay_a_few_lanes(page: PageSink) -> None:
    for number in range(2000):
        page.write(live(f"camera {number}"))
        page.write(frame_record(f"{number}.jpg"))
    assert len(state(page)["lanes"]) == 16


def test_pictures_are_made_when_somebody_asks(page: PageSink, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *given: made.append(1) or encode(*given))
    for number in range(50):
        page.write(live("camera 0", number, size=(1000, 2000)))
    assert ask(page.url, "/frame/7.jpg").status == 404
    assert not made
    answer = ask(page.url, "/frame/0.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    shown = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (480, 960, 3)
    for _ in range(5):
        assert ask(page.url, "/frame/0.jpg").body == answer.body
    assert len(made) == 1


@pytest.mark.parametrize(
    ("size", "shown"), [((720, 1280), (540, 960)), ((1944, 2592), (720, 960)), ((50, 961), (50, 960))]
)
def test_a_large_picture_is_shown_smaller_and_fine_stripes_as_grey(
    page: PageSink, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    record = live("camera 0", size=size)
    assert record.frame is not None
    stripes = np.broadcast_to((np.arange(size[1]) // 2 % 2 * 255).astype(np.uint8)[:, None], (*size, 3))
    page.write(replace(record, frame=replace(record.frame, image=stripes)))
    picture = cv2.imdecode(np.frombuffer(ask(page.url, "/frame/0.jpg").body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (*shown, 3)
    assert abs(float(picture.mean()) - 127.5) < 5
    # What is left of stripes that are finer than the picture's pixels is no broad band.
    bands = picture[..., 0].mean(axis=0).reshape(-1, 32).mean(axis=1)
    assert float(np.ptp(bands)) < 16


def test_a_picture_that_no_jpeg_can_hold(page: PageSink) -> None:
    page.write(live("camera 0", size=(1, 70_000)))
    assert ask(page.url, "/frame/0.jpg").status == 200
    page.write(live("camera 1", size=(0, 0)))
    assert ask(page.url, "/frame/1.jpg").status == 404
    assert len(state(page)["lanes"]) == 2


def test_health_follows_the_frames() -> None:
    sink = PageSink(LOOPBACK, stale_seconds=0.2)
    try:
        assert (ask(sink.url, "/healthz").status, ask(sink.url, "/healthz").json["status"]) == (503, "starting")
        sink.write(failure_record())
        assert ask(sink.url, "/healthz").json == {"status": "starting", "age_seconds": None}
        sink.write(live("camera 0"))
        wait_for(lambda: ask(sink.url, "/healthz").json["status"] == "stale")
        answer = ask(sink.url, "/healthz")
        assert answer.status == 503
        assert answer.json["age_seconds"] > 0.2
    finally:
        sink.close()


def test_the_token_guards_pictures_and_figures() -> None:
    sink = PageSink(LOOPBACK, token=TOKEN)
    try:
        sink.write(live("camera 0"))
        for path in ("/state.json", "/frame/0.jpg", f"/state.json?token={TOKEN}"):
            assert ask(sink.url, path).status == 401
        for path in ("/state.json", "/frame/0.jpg"):
            assert ask(sink.url, path, headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
        assert ask(sink.url, "/").status == 200
        assert set(ask(sink.url, "/healthz").json) == {"status", "age_seconds"}
    finally:
        sink.close()


def test_another_site_cannot_reach_a_page_without_a_token(page: PageSink) -> None:
    page.write(live("camera 0"))
    assert ask(page.url, "/frame/0.jpg", headers={"Host": "evil.example"}).status == 421


def test_places_that_need_a_token_get_none_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORILLA_TOKEN", raising=False)
    with pytest.raises(UsageError, match="needs a token"):
        page_opener("0.0.0.0:0", None, {})
    with pytest.raises(UsageError, match="no place to listen"):
        open_sink("page", "everywhere")
    sink = open_sink("page", "0")
    sink.close()
    sink.close()


def test_a_station_says_when_its_frames_are_stale() -> None:
    sink = page_opener("0", None, {}, stale_seconds=0.1)()
    try:
        sink.write(live("camera 0"))
        wait_for(lambda: ask(sink.url, "/healthz").json["status"] == "stale")
    finally:
        sink.close()


def test_clients_that_never_read_hold_up_nobody(page: PageSink) -> None:
    """Ten of them ask for pictures and read none while a camera runs: every frame gets its verdict and is shown."""
    camera, model = Camera(), Shows()
    deaf = [connect(page.url) for _ in range(10)]
    with Pipeline(model, camera, [page]) as pipeline:
        for number in range(200):
            camera.shoot(number % 256)
            next(pipeline)
            if number == 20:
                wait_for(lambda: ask(page.url, "/frame/0.jpg").status == 200)
                for client in deaf:
                    client.sendall(b"GET /frame/0.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        wait_for(lambda: state(page)["lanes"][0]["index"] == 199)
        assert pipeline.counts.processed == 200
    for client in deaf:
        everything(client)
        client.close()


def test_the_end_of_the_run_is_the_end_of_the_server(page: PageSink) -> None:
    name = f"orilla server {page.url.rpartition(':')[2].strip('/')}"
    assert name in {thread.name for thread in threading.enumerate()}
    with connect(page.url) as client:
        client.sendall(b"GET /")
        camera = Camera()
        camera.shoot(1)
        camera.give(None)
        Pipeline(Shows(), camera, [page]).run()
        everything(client)
    assert name not in {thread.name for thread in threading.enumerate()}
