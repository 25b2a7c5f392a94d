"""The service as its clients meet it: a real server, a real model, right and wrong requests."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from orilla_runtime.decisions import Decider, Rules
from orilla_runtime.errors import ServiceError, UsageError
from orilla_runtime.model import load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.service.access import read_token
from orilla_runtime.service.address import Address
from orilla_runtime.service.app import RequestLimits
from orilla_runtime.service.connections import ConnectionLimits
from orilla_runtime.service.pool import Pool
from orilla_runtime.service.serving import Service
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sources.registry import open_source
from orilla_runtime.timing import Timing
from tests.runtime.service.clients import PATIENCE, ask, connect, everything, send_without_end, wait_for
from tests.runtime.small_models import LABELS, picture, tflite_colours

TOKEN = "a-token-of-some-length"
LOOPBACK = Address("127.0.0.1", 0)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    path = folder / "colours.tflite"
    path.write_bytes(tflite_colours())
    (folder / "labels.txt").write_text("\n".join(LABELS))
    return path


def loaded(path: Path) -> Any:
    return load(path, labels=path.with_name("labels.txt"), channels="rgb", output="probabilities", mean=(0,), std=(1,))


@contextmanager
def serving(path: Path, **options: Any) -> Iterator[Service]:
    service_options = {name: options.pop(name) for name in ("token", "limits", "connections") if name in options}
    with ExitStack() as stack:
        model = options.pop("model", None) or stack.enter_context(loaded(path))
        pool = Pool(model, **{"workers": 2, **options})
        stack.callback(pool.close)
        yield stack.enter_context(Service(pool, LOOPBACK, **service_options))


@pytest.fixture(scope="module")
def service(model_file: Path) -> Generator[Service, None, None]:
    with serving(model_file, limits=RequestLimits(max_bytes=200_000), max_pixels=1_000_000) as made:
        yield made


def png(image: Any) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


class Waits:
    """A model that answers when the test says so."""

    bundle_id, artifact, engine = None, "waits.tflite", "test/cpu"

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def process(self, image: Any) -> tuple[Any, Timing]:
        self.begun.release()
        assert self.may_answer.wait(PATIENCE)
        return int(image[0, 0, 0]), Timing(0.0, 0.0, 0.0, 0.0)


def test_the_answer_is_the_object_of_run_jsonl(service: Service, model_file: Path, tmp_path: Path) -> None:
    names = [tmp_path / "a b.png", tmp_path / "ö.jpg"]
    cv2.imwrite(str(names[0]), picture(1))
    names[1].write_bytes(cv2.imencode(".jpg", picture(2))[1].tobytes())
    with loaded(model_file) as model:
        for place, name in enumerate(names):
            output = tmp_path / f"{place}.jsonl"
            Pipeline(model, open_source(name), [JsonlSink(output)]).run()
            expected = json.loads(output.read_text("utf-8"))
            answer = ask(service.url, f"/classify?source={quote(str(name))}", name.read_bytes())
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            found = answer.json
            assert list(found) == list(expected)
            for measured in ("timing_ms", "captured_at"):
                assert type(found.pop(measured)) is type(expected.pop(measured))
            assert found == expected


def test_decisions_are_those_of_a_run(model_file: Path) -> None:
    with serving(model_file, transforms=[Decider(Rules(0.999), LABELS)]) as made:
        decision = ask(made.url, "/classify", png(picture(3))).json["decision"]
    assert (decision["label"], decision["class_id"]) == ("unknown", None)
    assert "below its threshold of 0.999" in decision["reason"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "request is empty"),
        (b"hello, this is no picture", "not a picture"),
        (png(picture(4))[:90], "request"),
        (png(np.zeros((1001, 1000, 3), np.uint8)), "1000x1001 pixels, more than the limit of 1 megapixels"),
    ],
)
def test_what_is_no_picture_is_a_failure_in_one_line(service: Service, body: bytes, reason: str) -> None:
    answer = ask(service.url, "/classify", body)
    assert answer.status == 422
    assert set(answer.json) == {"source", "index", "captured_at", "kind", "error", "bundle", "artifact", "engine"}
    assert reason in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_a_decompression_bomb_is_refused_by_its_header(service: Service) -> None:
    """A PNG of 60000x60000 pixels in 100 bytes: decoding it would take 10 GB."""
    head = bytearray(png(np.zeros((8, 8, 3), np.uint8)))
    head[16:24] = (60000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    answer = ask(service.url, "/classify", bytes(head))
    assert answer.status == 422
    assert "60000x60000 pixels" in answer.json["error"]


def test_a_body_that_is_too_large_is_refused_in_both_spellings(service: Service) -> None:
    assert ask(service.url, "/classify", bytes(200_001)).status == 413
    chunks = (bytes(50_000) for _ in range(40))
    answer = ask(service.url, "/classify", chunks)
    assert answer.status == 413
    assert answer.json == {"error": "The body is larger than 200000 bytes."}
    assert ask(service.url, "/classify", png(picture(5))).status == 200


def test_what_is_not_served_is_json_too(service: Service) -> None:
    assert ask(service.url, "/nothing").json == {"error": "Not Found"}
    wrong = ask(service.url, "/classify")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert ask(service.url, "/healthz").json == {"status": "ok", "waiting": 0}


def test_the_description_names_every_path_and_every_answer(service: Service) -> None:
    document = ask(service.url, "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/classify", "/healthz", "/openapi.json"}
    responses = document["paths"]["/classify"]["post"]["responses"]
    assert set(responses) == {"200", "401", "408", "413", "422", "500", "503", "504"}
    found = ask(service.url, "/classify", png(picture(6))).json
    schema = document["components"]["schemas"]["Result"]
    assert set(schema["required"]) <= set(found) <= set(schema["properties"])


def test_the_token(model_file: Path) -> None:
    body = png(picture(7))
    with serving(model_file, token=TOKEN) as made:
        for wrong in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": ""},
        ):
            answer = ask(made.url, "/classify", body, wrong)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert ask(made.url, "/classify", body, right).status == 200
        # Behind a proxy it has a name, which the token makes up for.
        assert ask(made.url, "/classify", body, {**right, "Host": "parts.example"}).status == 200
        assert ask(made.url, "/healthz").status == 200
        assert ask(made.url, "/openapi.json").json["paths"]["/classify"]["post"]["security"] == [{"token": []}]


def test_without_a_token_a_page_of_another_site_cannot_ask(service: Service) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", "192.168.1.7"):
        assert ask(service.url, "/classify", png(picture(8)), {"Host": host}).status == 421
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert ask(service.url, "/healthz", headers={"Host": host}).status == 200


def test_a_token_is_needed_beyond_this_machine_and_must_be_long(tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    file.write_text(f"{TOKEN}\n")
    outside = Address.parse("0.0.0.0:8000")
    assert read_token(None, {}, Address.parse("8000")) is None
    assert read_token(file, {}, outside) == TOKEN
    assert read_token(None, {"ORILLA_TOKEN": TOKEN}, outside) == TOKEN
    for given, environment in ((None, {}), (None, {"ORILLA_TOKEN": ""}), (tmp_path / "gone.txt", {})):
        with pytest.raises(UsageError) as caught:
            read_token(given, environment, outside)
        assert "token_urlsafe" in caught.value.remedy
    file.write_text("short")
    with pytest.raises(UsageError, match="16 or more"):
        read_token(file, {}, Address.parse("8000"))


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:0", "0.0.0.0", 0, False),
        ("camera-3.plant:65535", "camera-3.plant", 65535, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.is_loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["", "http://localhost:80", ":80", "a:b", "65536", "::1:80", "a b:80", "host:"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="no place to listen"):
        Address.parse(text)


def test_an_address_that_is_taken(service: Service) -> None:
    with pytest.raises(ServiceError, match="Cannot listen at"):
        service.server.address.listen()


def test_fifty_clients_at_once_all_get_their_own_answer(service: Service, model_file: Path) -> None:
    pictures = [png(picture(seed)) for seed in range(50)]
    with loaded(model_file) as model:
        expected = [model(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).top.score for data in pictures]

    def classify(place: int) -> tuple[int, Any]:
        answer = ask(service.url, f"/classify?source={place}", pictures[place])
        return answer.status, answer.json

    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(classify, range(50)))
    assert [status for status, _ in answers] == [200] * 50
    assert [found["source"] for _, found in answers] == [str(place) for place in range(50)]
    assert [found["predictions"][0]["score"] for _, found in answers] == expected


def test_who_finds_no_place_is_told_when_to_come_again(model_file: Path) -> None:
    model = Waits()
    with serving(model_file, model=model, workers=1, waiting=2) as made, ThreadPoolExecutor(12) as clients:
        first = clients.submit(ask, made.url, "/classify", png(picture(1)))
        assert model.begun.acquire(timeout=PATIENCE)
        rest = [clients.submit(ask, made.url, "/classify", png(picture(1))) for _ in range(10)]
        wait_for(lambda: sum(one.done() for one in rest) == 8)
        refused = [one.result() for one in rest if one.done()]
        assert {answer.status for answer in refused} == {503}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        model.may_answer.set()
        assert [one.result(PATIENCE).status for one in [first, *rest]].count(200) == 3
        assert ask(made.url, "/classify", png(picture(1))).status == 200


def test_all_bodies_together_have_a_limit(model_file: Path) -> None:
    model, body = Waits(), png(picture(1))
    limits = RequestLimits(max_bytes=2 * len(body) - 1, memory=2 * len(body) - 1)
    with serving(model_file, model=model, workers=1, limits=limits) as made, ThreadPoolExecutor(1) as clients:
        first = clients.submit(ask, made.url, "/classify", body)
        assert model.begun.acquire(timeout=PATIENCE)
        second = ask(made.url, "/classify", body)
        assert (second.status, second.json["error"]) == (503, "Too many pictures are on their way.")
        model.may_answer.set()
        assert first.result(PATIENCE).status == 200
        assert ask(made.url, "/classify", body).status == 200


def test_a_result_that_does_not_come_in_time(model_file: Path) -> None:
    model = Waits()
    with serving(model_file, model=model, workers=1, limits=RequestLimits(answer_seconds=0.1)) as made:
        assert ask(made.url, "/classify", png(picture(1))).status == 504
        assert ask(made.url, "/classify", png(picture(1))).status == 504  # it never came to it
        model.may_answer.set()
        wait_for(lambda: ask(made.url, "/classify", png(picture(1))).status == 200)


def test_a_model_that_fails_is_a_500_and_the_next_one_is_answered(model_file: Path) -> None:
    class Fails(Waits):
        def process(self, image: Any) -> tuple[Any, Timing]:
            if image[0, 0, 0] == 13:
                raise ArithmeticError("13 is too much\nsecret detail")
            return 1, Timing(0.0, 0.0, 0.0, 0.0)

    bad, good = (png(np.full((8, 8, 3), value, np.uint8)) for value in (13, 14))
    with serving(model_file, model=Fails(), workers=1) as made:
        answer = ask(made.url, "/classify", bad)
        assert (answer.status, answer.json) == (500, {"error": "unexpected ArithmeticError"})
        assert ask(made.url, "/classify", good).status == 200


def test_slow_clients_are_put_out_and_nobody_waits_for_them(model_file: Path) -> None:
    limits = RequestLimits(body_seconds=0.3)
    with serving(model_file, limits=limits, connections=ConnectionLimits(head_seconds=0.4)) as made:
        silent, slow_head, slow_body = (connect(made.url) for _ in range(3))
        slow_head.sendall(b"POST /classify HTTP/1.1\r\nHost: local")
        slow_body.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert ask(made.url, "/classify", png(picture(1))).status == 200
        assert everything(silent) == b""
        assert everything(slow_head).startswith(b"HTTP/1.1 408 ")
        assert everything(slow_body).startswith(b"HTTP/1.1 408 ")
        for client in (silent, slow_head, slow_body):
            client.close()


def test_an_endless_body_ends(model_file: Path) -> None:
    limits = RequestLimits(max_bytes=100_000)
    with serving(model_file, limits=limits, connections=ConnectionLimits(head_seconds=0.3)) as made:
        client = connect(made.url)
        client.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"2710\r\n" + bytes(10_000) + b"\r\n"
        with pytest.raises(ConnectionError):
            send_without_end(client, chunk)
        client.close()
        assert ask(made.url, "/healthz").status == 200


def test_clients_that_say_nothing_take_no_place_from_those_that_do(model_file: Path) -> None:
    with serving(model_file, connections=ConnectionLimits(connections=4)) as made:
        silent = [connect(made.url) for _ in range(12)]
        for _ in range(4):
            assert ask(made.url, "/classify", png(picture(1))).status == 200
        assert everything(silent[0]) == b""
        for client in silent:
            client.close()


def test_where_every_connection_is_busy_the_next_is_refused(model_file: Path) -> None:
    model = Waits()
    limits = ConnectionLimits(connections=2)
    with serving(model_file, model=model, workers=2, connections=limits) as made, ThreadPoolExecutor(2) as clients:
        busy = [clients.submit(ask, made.url, "/classify", png(picture(1))) for _ in range(2)]
        for _ in busy:
            assert model.begun.acquire(timeout=PATIENCE)
        with connect(made.url) as third:
            assert everything(third).startswith(b"HTTP/1.1 503 ")
        model.may_answer.set()
        assert [one.result(PATIENCE).status for one in busy] == [200, 200]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_without_a_word_in_the_log(
    service: Service, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(service.url) as client:
        client.sendall(request_bytes)
        assert everything(client)[:13] in {b"", b"HTTP/1.1 400 "}
    assert ask(service.url, "/healthz").status == 200
    assert not caplog.records


def test_clients_that_go_away_leave_nothing_behind(model_file: Path) -> None:
    """Half a head, half a body, and gone while the model works: no connection, memory or place stays taken."""
    model = Waits()
    with serving(model_file, model=model, workers=1, waiting=1) as made:
        body = png(picture(1))
        head = f"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for cut in (10, len(head), len(head) + 20):
            with connect(made.url) as client:
                client.sendall((head + body)[:cut])
        with connect(made.url) as client:
            client.sendall(head + body)
            assert model.begun.acquire(timeout=PATIENCE)
        model.may_answer.set()
        wait_for(lambda: ask(made.url, "/classify", body).status == 200)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_the_end_refuses_what_waits_and_leaves_no_thread(model_file: Path) -> None:
    before = threads()
    model = Waits()
    with ThreadPoolExecutor(3, thread_name_prefix="client") as clients:
        with serving(model_file, model=model, workers=1) as made:
            asked = [clients.submit(ask, made.url, "/classify", png(picture(1))) for _ in range(3)]
            assert model.begun.acquire(timeout=PATIENCE)
            wait_for(lambda: ask(made.url, "/healthz").json["waiting"] == 2)
            client = connect(made.url)
            client.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        answers = [one.result(PATIENCE) for one in asked]
        assert {answer.status for answer in answers} == {503}
        everything(client)
        client.close()
        with pytest.raises(ConnectionError):
            ask(made.url, "/healthz")
        model.may_answer.set()
    wait_for(lambda: threads() <= before)
