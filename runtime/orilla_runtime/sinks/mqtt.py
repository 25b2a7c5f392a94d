"""MQTT: every record as a message at a broker, confirmed one by one, through outages."""

from __future__ import annotations

import json
import logging
import secrets
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.jsonl import as_object
from orilla_runtime.sinks.mqtt_address import MqttAddress, parse_mqtt
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_log = logging.getLogger(__name__)

WINDOW = 100
"""Messages that are sent and not yet confirmed; behind them the run's own queue holds what is to come."""

_KEEPALIVE = 20
_FIRST_CONNECTION = 2.0
_LIVE_PATIENCE = 0.3
_FILE_PATIENCE = 10.0
_LAST_PATIENCE = 3.0
_PAUSES = (1, 30)
_QOS = 1
_REFUSED = {"Bad user name or password", "Not authorized", "Bad authentication method", "Banned"}


class MqttSink:
    """Publishes the object of `run --jsonl` for every record, at least once (QoS 1), to the topic of an address.

    `TOPIC/status` keeps `online` while the run lasts and `offline` after it; of a run that died the broker says so
    itself (last will). The connection is made anew whenever it is lost, with pauses from 1 to 30 seconds. Up to 100
    messages may be unconfirmed; they are sent again on the next connection. While there is none, `write` fails: a live
    run then keeps its records in its queue (20,000), and a run of files waits up to 10 seconds before it ends. A
    broker that is not there at the beginning is waited for in the same way; one that refuses the password is an error.

    Args:
        target: `mqtt://user:password@host:port/topic`, `mqtts://…` (TLS; certificates are checked against those that
            this machine trusts), or `env:NAME` for a variable that holds one. User, password and port may be left out.

    Raises:
        SinkError: the address cannot be read, paho-mqtt is missing, or the broker refuses the user; in `write`: there
            is no connection, or no confirmation in time; in `finish`: messages were not confirmed.
    """

    durable = True

    def __init__(self, target: str | MqttAddress) -> None:
        self.address = parse_mqtt(target) if isinstance(target, str) else target
        self._changed = threading.Condition()
        self._sent = self._confirmed = 0
        self._is_connected = self._is_closed = self._is_refused = self._is_live = False
        self._reason = ""
        self._client = _client(self.address)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.connect_async(self.address.host, self.address.port, _KEEPALIVE)
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_connected or self._reason, _FIRST_CONNECTION)
            is_refused = self._is_refused
        if is_refused:
            self.close()
            raise SinkError(f"{self.address} refuses the connection: {self._reason}.", "Check user and password.")

    def write(self, record: Record) -> None:
        """Publish one record; returns once it is on its way."""
        try:
            text = json.dumps(as_object(record), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SinkError(f"A result of {record.artifact} is not JSON: {error}.") from error
        # What is no UTF-8 in a name is written as JSON's escape, as in a file.
        payload = text.encode("utf-8", "backslashreplace")
        # Behind a run of files nobody tries again. Failures do not say which kind of run they are of.
        self._is_live = self._is_live or (record.timing is not None and record.timing.age is not None)
        self._await_room(_LIVE_PATIENCE if self._is_live else _FILE_PATIENCE, at_once=self._is_live)
        self._publish(self.address.topic, payload)

    def finish(self, counts: Counts) -> None:  # noqa: ARG002 - every record was published
        """Wait until everything is confirmed, a few seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._sent <= self._confirmed, _LAST_PATIENCE)
            missing = self._sent - self._confirmed
        if missing > 0:
            raise SinkError(f"{self.address} did not confirm {missing} messages.", "See that the broker is there.")

    def close(self) -> None:
        """Say `offline` and leave; may be called twice."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            is_connected = self._is_connected
        if is_connected:
            self._publish(self.address.status_topic, b"offline", retain=True)
            with self._changed:
                self._changed.wait_for(lambda: self._sent <= self._confirmed, _LIVE_PATIENCE)
        self._client.disconnect()
        # It may be in the middle of a connection attempt, which nothing interrupts.
        ending = threading.Thread(target=self._client.loop_stop, name="orilla mqtt end", daemon=True)
        ending.start()
        ending.join(_LIVE_PATIENCE)

    def _await_room(self, seconds: float, *, at_once: bool) -> None:
        limit = time.monotonic() + seconds
        with self._changed:
            while not self._is_connected or self._sent - self._confirmed >= WINDOW:
                if self._is_refused or (at_once and not self._is_connected) or self._is_closed:
                    break
                if not self._changed.wait(max(0.0, limit - time.monotonic())):
                    break
            if self._is_connected and self._sent - self._confirmed < WINDOW:
                return
            reason = "it does not confirm what it gets" if self._is_connected else self._reason or "no answer"
        raise SinkError(f"{self.address} cannot be reached: {reason}.", "See that the broker is there.")

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        with self._changed:  # The confirmation may come before `publish` returns.
            self._sent += 1
        self._client.publish(topic, payload, _QOS, retain)

    # paho's thread calls these.
    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        with self._changed:
            self._is_connected = not code.is_failure
            self._is_refused = str(code) in _REFUSED
            self._reason = str(code).lower() if code.is_failure else ""
            is_online = self._is_connected and not self._is_closed
            self._changed.notify_all()
        if is_online:
            self._publish(self.address.status_topic, b"online", retain=True)

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        # paho calls this while it handles the exception, and gives no other way to it.
        error = sys.exc_info()[1]
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error or "no answer")
        self._disconnected(printable(reason))

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._disconnected("the connection was lost" if code.is_failure else "the broker ended the connection")

    def _disconnected(self, reason: str) -> None:
        with self._changed:
            self._is_connected = False
            if not self._is_refused:
                self._reason = reason
            self._changed.notify_all()

    def _on_publish(self, _client: Any, _userdata: Any, _mid: Any, _code: Any, _properties: Any) -> None:
        with self._changed:
            self._confirmed += 1
            self._changed.notify_all()


def _client(address: MqttAddress) -> Client:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as error:
        raise SinkError("MQTT needs the package paho-mqtt.", "pip install 'orilla[mqtt]'") from error
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"orilla-{secrets.token_hex(6)}")
    if address.user or address.password:
        client.username_pw_set(address.user, address.password or None)
    if address.secure:
        client.tls_set_context(ssl.create_default_context())
    client.will_set(address.status_topic, b"offline", _QOS, retain=True)
    client.max_inflight_messages_set(WINDOW + 2)
    client.reconnect_delay_set(*_PAUSES)
    client.connect_timeout = 5.0
    return client
