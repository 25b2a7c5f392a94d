"""MQTT against a broker on loopback: what arrives, what an outage costs, and that no password is shown."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.errors import OrillaError, SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.mqtt import WINDOW, MqttSink
from orilla_runtime.sinks.mqtt_address import MqttAddress, parse_mqtt
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.timing import Timing
from tests.conftest import REPOSITORY
from tests.runtime.pipeline.stage import wait_for
from tests.runtime.sinks.broker import Broker
from tests.runtime.sinks.records import failure_record, frame_record
from tests.runtime.sources.test_tls import CERTIFICATE

TOPIC = "line 3/verdicts"


@pytest.fixture
def broker() -> Iterator[Broker]:
    running = Broker().start()
    yield running
    running.kill()


def address(broker: Broker, secret: str = "") -> str:
    return f"mqtt://{secret}127.0.0.1:{broker.port}/line%203/verdicts"


def live(index: int) -> Record:
    return replace(frame_record("line 3", index), timing=Timing(1.0, 2.0, 3.0, 4.0, 5.5))


def indices(broker: Broker) -> list[int]:
    return [json.loads(payload)["index"] for payload in broker.payloads(TOPIC)]


def test_records_arrive_as_the_objects_of_jsonl_and_the_status_follows_the_run(broker: Broker) -> None:
    sink = open_sink("mqtt", address(broker))
    wait_for(lambda: broker.retained.get(f"{TOPIC}/status") == b"online")
    sink.write(frame_record("a.jpg", 0))
    sink.write(failure_record())
    sink.write(frame_record("b\udcff.jpg", 2))
    sink.finish(Counts(2, 1))
    sink.close()
    sink.close()
    frame, failure, odd = map(json.loads, broker.payloads(TOPIC))
    assert odd["source"] == "b\udcff.jpg"
    assert (frame["source"], frame["predictions"][1]["label"], frame["bundle"]) == ("a.jpg", "Katze, groß", "ab" * 32)
    assert failure["error"].endswith("cut off.")
    assert broker.retained == {f"{TOPIC}/status": b"offline"}


def test_a_run_that_died_is_offline_by_its_last_will(broker: Broker) -> None:
    program = (
        "import os, sys, time; from orilla_runtime.sinks.mqtt import MqttSink\n"
        "from tests.runtime.sinks.records import frame_record\n"
        "sink = MqttSink(sys.argv[1]); sink.write(frame_record()); time.sleep(0.3); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, address(broker)], cwd=REPOSITORY, check=False, timeout=60)
    assert done.returncode == -9
    wait_for(lambda: broker.retained.get(f"{TOPIC}/status") == b"offline")
    assert indices(broker) == [0]


def test_what_was_sent_and_not_confirmed_is_sent_again(broker: Broker) -> None:
    broker.confirms = False
    sink = MqttSink(address(broker))
    for index in range(5):
        sink.write(live(index))
    wait_for(lambda: len(indices(broker)) == 5)
    broker.kill()
    broker.messages.clear()
    broker.confirms = True
    broker.start()
    wait_for(lambda: len(indices(broker)) == 5)
    sink.finish(Counts(5))
    sink.close()
    assert indices(broker) == list(range(5))


def test_without_a_broker_a_live_record_is_refused_at_once_and_a_file_waits(broker: Broker) -> None:
    sink = MqttSink(address(broker))
    sink.write(live(0))
    sink.finish(Counts(1))
    broker.kill()
    wait_for(lambda: not sink._is_connected)
    with pytest.raises(SinkError, match="cannot be reached"):
        sink.write(live(1))
    with pytest.raises(SinkError, match="cannot be reached"):
        sink.write(failure_record("line 3", 2))
    of_files = MqttSink(address(broker))
    broker.start()
    of_files.write(frame_record("a.jpg", 3))
    for each in (of_files, sink):
        each.finish(Counts(2))
        each.close()
    assert indices(broker) == [0, 3]


def test_a_broker_that_confirms_nothing_is_given_no_more_than_the_window(broker: Broker) -> None:
    broker.confirms = False
    sink = MqttSink(address(broker))
    sent = 0
    with pytest.raises(SinkError, match="does not confirm"):  # noqa: PT012 - how many fit is what is looked at
        while True:
            sink.write(live(sent))
            sent += 1
    assert sent in {WINDOW, WINDOW - 1}
    with pytest.raises(SinkError, match=r"did not confirm \d+ messages"):
        sink.finish(Counts(sent))
    sink.close()


def test_a_wrong_password_is_refused_at_once_and_shown_nowhere(
    broker: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    broker.password = "right@sécret"
    with pytest.raises(SinkError, match="refuses the connection: not authorized") as caught:
        MqttSink(address(broker, "anna:wr0ng@"))
    assert "wr0ng" not in str(caught.value) + caplog.text
    assert "anna" not in str(caught.value) + caplog.text
    monkeypatch.setenv("BROKER", address(broker, "anna:right%40s%C3%A9cret@"))
    sink = open_sink("mqtt", "env:BROKER")
    sink.write(frame_record())
    sink.finish(Counts(1))
    sink.close()
    assert broker.users[-1] == ("anna", "right@sécret")
    assert "sécret" not in repr(sink.address) + str(sink.address)  # type: ignore[attr-defined]


def test_a_broker_that_is_not_there_at_the_beginning_is_waited_for() -> None:
    broker = Broker().start()
    broker.kill()
    sink = MqttSink(address(broker))
    with pytest.raises(SinkError, match="Connection refused"):
        sink.write(live(0))
    broker.start()
    wait_for(lambda: sink._is_connected)
    sink.write(live(0))
    sink.finish(Counts(1))
    sink.close()
    broker.kill()
    assert indices(broker) == [0]


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(SinkError) as caught:
        MqttSink("mqtt://127.0.0.1/line")
    assert str(caught.value) == "MQTT needs the package paho-mqtt.\npip install 'orilla[mqtt]'"


@pytest.mark.parametrize(
    "text",
    [
        "", "mqtt://", "mqtt://host", "mqtt://host/", "mqtt:///topic", "mqtt://host:0/t", "mqtt://host:99999/t",
        "mqtt://host:1883/a/#", "mqtt://host/a/+/b", "mqtt://host/t?qos=2", "http://host/t", "mqtt://ho st/t",
        "mqtt://a..b/t", "mqtt://u:s3cret@/t", "mqtt://u:s3cret@h:x/t", "mqtt://u:pa/s3cret@host/t", "u:s3cret@host",
        "env:ORILLA_NO_SUCH_VARIABLE", "mqtt://h/" + "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_two_lines_without_its_secrets(text: str) -> None:
    with pytest.raises(SinkError) as caught:
        parse_mqtt(text)
    assert len(str(caught.value).splitlines()) == 2
    assert "s3cret" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_error_by_name(text: str) -> None:
    for candidate in (text, f"mqtt://{text}", f"mqtts://u:s3cret@{text}/t", f"mqtt://h/{text}"):
        found: MqttAddress | OrillaError
        try:
            found = parse_mqtt(candidate)
        except OrillaError as error:
            found = error
        assert "s3cret" not in str(found)
        if isinstance(found, MqttAddress):
            assert found.host
            assert found.topic
            assert 0 < found.port < 65536


parts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@given(parts, parts)
def test_quoted_users_and_passwords_arrive_as_they_are(user: str, password: str) -> None:
    from urllib.parse import quote

    found = parse_mqtt(f"mqtts://{quote(user, safe='')}:{quote(password, safe='')}@[::1]:8884/a/b")
    assert found == MqttAddress("mqtts", "::1", 8884, "a/b", user, password)
    assert str(found) == "mqtts://***@[::1]:8884/a/b"


def test_a_certificate_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    broker = Broker(tls=context).start()
    target = f"mqtts://localhost:{broker.port}/line%203/verdicts"
    stranger = MqttSink(target)
    with pytest.raises(SinkError, match="certificate verify failed"):
        stranger.write(live(0))
    stranger.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    sink = MqttSink(target)
    sink.write(live(1))
    sink.finish(Counts(1))
    sink.close()
    broker.kill()
    assert indices(broker) == [1]
