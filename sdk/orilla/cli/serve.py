"""`orilla serve`: a model behind HTTP."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import say
from orilla.cli.decision_options import picture_decision_options, taken_decisions
from orilla.cli.model_options import model_options, require_picture
from orilla.cli.station import config_option
from orilla.cli.stopping import stopped_by_signals
from orilla_runtime.errors import UsageError
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla_runtime.service.serving import Service

_SLICE = 0.2
"""Seconds after which the main thread looks whether the server still runs."""

_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_MIB = 1024 * 1024


@click.command()
@config_option
@click.argument("model")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond this machine a token is needed.")
@click.option("--token-file", type=click.Path(), help="Its text is the token; or the variable ORILLA_TOKEN.")
@click.option("--artifact", help="This artifact of the bundle: its path, its name, or format:precision.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes a result holds.")
@picture_decision_options
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at once; by default one a CPU.")
@click.option("--queue", type=click.IntRange(min=1), default=64, show_default=True, help="Pictures that may wait.")
@click.option("--max-mib", type=_ABOVE_0, default=20.0, show_default=True, help="MiB of the largest file.")
@click.option("--max-megapixels", type=_ABOVE_0, default=50.0, show_default=True, help="Of the largest picture.")
@click.option("--body-seconds", type=_ABOVE_0, default=10.0, show_default=True, help="For a picture to arrive.")
@click.option("--answer-seconds", type=_ABOVE_0, default=30.0, show_default=True, help="From then to the result.")
@model_options
@click.option(
    "--measure",
    type=click.Choice(["never", "once", "anew"]),
    default="once",
    show_default=True,
    help="Find the fastest engine and threads first.",
)
@click.option("--quiet", is_flag=True, help="Errors and warnings only.")
def command(
    model: str,
    port: int,
    host: str,
    token_file: str | None,
    artifact: str | None,
    top: int,
    quiet: bool,
    **others: Any,
) -> int:
    """Answer pictures over HTTP with MODEL, a bundle, a .tflite or an .onnx file.

    POST /classify takes a picture file as its body and answers with the object that `orilla run --jsonl` writes;
    GET /healthz says whether pictures are taken, GET /openapi.json describes it all. Ctrl-C or SIGTERM ends it.

    Needs the extra `serve`: pip install 'orilla[serve]'.
    """
    from orilla_runtime.service.stack import require_stack

    require_stack()
    from orilla.cli.warnings import warnings_shown
    from orilla_runtime.model import load
    from orilla_runtime.service.access import read_token
    from orilla_runtime.service.address import Address
    from orilla_runtime.service.app import RequestLimits
    from orilla_runtime.service.pool import Pool
    from orilla_runtime.service.serving import Service

    decisions = taken_decisions(others)
    bounds = {name: others.pop(name) for name in ("max_mib", "max_megapixels", "body_seconds", "answer_seconds")}
    _require_finite(bounds)
    limits = RequestLimits(round(bounds["max_mib"] * _MIB), bounds["body_seconds"], bounds["answer_seconds"])
    crowd = {"workers": others.pop("workers"), "waiting": others.pop("queue")}
    max_pixels = round(bounds["max_megapixels"] * 1e6)
    address = Address(host.strip("[]"), port)
    token = read_token(None if token_file is None else Path(token_file), os.environ, address)
    with ExitStack() as stack:
        loaded = stack.enter_context(load(model, artifact=artifact, top=decisions.least_classes(top), **others))
        require_picture(loaded)
        decider = decisions.decider(loaded.labels)
        pool = Pool(decisions.model(loaded), max_pixels=max_pixels, transforms=[decider] if decider else [], **crowd)
        stack.callback(pool.close)
        service = stack.enter_context(Service(pool, address, token=token, limits=limits))
        if not quiet:
            say(f"{loaded.artifact} on {loaded.engine}: {printable(loaded.why)}")
            say(f"POST pictures to {service.url}classify")
        stack.enter_context(warnings_shown())
        return _wait(service)


def _require_finite(bounds: Mapping[str, float]) -> None:
    for name, value in bounds.items():
        if not 0 < value < math.inf:
            raise UsageError(f"--{name.replace('_', '-')} {value} is no limit.", "Give a number above 0.")


def _wait(service: Service) -> int:
    """Until a signal; 1 where the server ended by itself."""
    from orilla.cli.notify import Notifier

    notifier = Notifier(os.environ)
    end = threading.Event()
    with stopped_by_signals(end.set) as asked:
        while service.server.is_alive and not end.wait(_SLICE):
            # In the server's own thread: where that hangs, the beats stop.
            service.server.soon(notifier.beat)
    notifier.stopping()
    return 0 if asked() else 1
