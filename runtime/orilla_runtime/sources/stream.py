"""From an address to a live source."""

from __future__ import annotations

from orilla_runtime.records import replace
from orilla_runtime.sources.address import parse_address
from orilla_runtime.sources.capture_process import CaptureProcess
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.reports import Reports

_REMEDY = "Check the address, the user and the password, and that the camera is on."


def stream_source(text: str, options: SourceOptions) -> LiveSource:
    """An RTSP stream, or MJPEG over HTTP, as a source; it connects when it is iterated.

    Raises:
        SourceError: not an address, or of a kind that is not supported.
    """
    address = parse_address(text)
    kind = "http" if address.scheme in {"http", "https"} else "rtsp"
    name, what, notes = str(address), address.with_credentials(), Reports()
    # Where few pictures are asked for, none for a while is no silence.
    between = 1 / options.fps if options.fps else 0.0
    return LiveSource(
        name,
        lambda: CaptureProcess(kind, what, options, name=name, hide=address.hide, notes=notes),
        replace(options, timeout_seconds=options.timeout_seconds + between),
        remedy=_REMEDY,
        # The process starts, and a decoder waits for a whole picture, which cameras send every few seconds.
        opening_seconds=2 * options.timeout_seconds + 5,
    )
