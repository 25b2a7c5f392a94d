"""What a capture process is asked to read, as data: from a job to the connection that does it."""

from __future__ import annotations

from typing import Any

from orilla_runtime.sources.address import parse_address
from orilla_runtime.sources.connection import Connection
from orilla_runtime.sources.options import SourceOptions


def connection_of(job: dict[str, Any]) -> tuple[Connection, SourceOptions]:
    """The connection of a job: `kind` (camera, http, rtsp), `what` (a device or an address) and `options`."""
    options = SourceOptions(**job["options"])
    if job["kind"] == "camera":
        from orilla_runtime.sources.camera import CameraConnection, open_camera

        return CameraConnection(lambda: open_camera(job["what"]), options), options
    address = parse_address(job["what"])
    if job["kind"] == "http":
        from orilla_runtime.sources.http_stream import HttpConnection

        return HttpConnection(address, options), options
    from orilla_runtime.sources.rtsp import RtspConnection

    return RtspConnection(address, options), options
