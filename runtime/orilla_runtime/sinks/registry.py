"""The sinks by their names: ours, and those of other packages (entry points `orilla.sinks`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from orilla_runtime.errors import OrillaError, SinkError, UsageError
from orilla_runtime.sinks.base import Sink

SinkFactory = Callable[[str], Sink]
"""Makes a sink from what stands behind its name: a path, `-`, an address; empty where nothing does."""


def open_sink(name: str, target: str | Path = "", *, append: bool = False) -> Sink:
    """A sink by its name: `jsonl`, `csv` (target: a path, or `-` for standard output), `annotated` (a folder or a
    video), `sqlite` (a database), `mqtt` (an address), `page` ([HOST:]PORT), `window` (no target), or one that another
    package brings. `append`: `jsonl` and `csv` add to a file that is there, as `sqlite` always does.

    Raises:
        UsageError: there is no sink of this name, or it needs a target.
        SinkError: the target cannot be written to.
    """
    # Other packages are searched when none of ours is meant: that takes longer than all of ours to import.
    if append and name in {"jsonl", "csv"}:
        return (_jsonl if name == "jsonl" else _csv)(str(target), append=True)
    factory = _OURS.get(name) or sinks().get(name)
    if factory is None:
        raise UsageError(f"There is no sink {name!r}.", f"Choose one of: {', '.join(sorted(sinks()))}.")
    return factory(str(target))


def sinks() -> Mapping[str, SinkFactory]:
    """Every sink by its name. Ours go first: another package cannot take their names."""
    from importlib.metadata import entry_points

    return {**{entry.name: _outside(entry.name) for entry in entry_points(group="orilla.sinks")}, **_OURS}


def _outside(name: str) -> SinkFactory:
    def make(target: str) -> Sink:
        from importlib.metadata import entry_points

        (entry, *_) = entry_points(group="orilla.sinks", name=name)
        try:
            sink: Sink = entry.load()(target)
        except OrillaError:
            raise
        except Exception as error:
            raise SinkError(f"The sink {name} ({entry.value}) failed: {error}.", "Ask its author.") from error
        return sink

    return make


def _jsonl(target: str, *, append: bool = False) -> Sink:
    from orilla_runtime.sinks.jsonl import JsonlSink

    return JsonlSink(_path_or_stdout("jsonl", target), append=append)


def _csv(target: str, *, append: bool = False) -> Sink:
    from orilla_runtime.sinks.csv import CsvSink

    return CsvSink(_path_or_stdout("csv", target), append=append)


def _annotated(target: str) -> Sink:
    from orilla_runtime.sinks.annotated import AnnotatedSink

    return AnnotatedSink(Path(_required("annotated", target)))


def _sqlite(target: str) -> Sink:
    from orilla_runtime.sinks.sqlite import SqliteSink

    return SqliteSink(Path(_required("sqlite", target)))


def _mqtt(target: str) -> Sink:
    from orilla_runtime.sinks.mqtt import MqttSink

    return MqttSink(target)


def _page(target: str) -> Sink:
    from orilla_runtime.sinks.page import page_opener

    return page_opener(target, None, os.environ)()


def _window(target: str) -> Sink:
    from orilla_runtime.sinks.window import WindowSink

    if target:
        raise UsageError("The window takes no target.", "Leave it out.")
    return WindowSink()


def _path_or_stdout(name: str, target: str) -> Path | TextIO:
    return sys.stdout if target == "-" else Path(_required(name, target))


def _required(name: str, target: str) -> str:
    if not target:
        raise UsageError(f"The sink {name} needs the name of a file.", "Give one.")
    return target


_OURS: Mapping[str, SinkFactory] = {
    "jsonl": _jsonl, "csv": _csv, "annotated": _annotated, "sqlite": _sqlite, "mqtt": _mqtt, "page": _page,
    "window": _window,
}  # fmt: skip
