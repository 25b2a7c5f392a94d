"""`orilla benchmark`: what one picture costs on this machine, for every artifact, engine and number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from orilla.cli.console import print_json, print_table, say
from orilla.cli.model_options import model_options
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla_runtime.benchmark import Percentiles, Speed
    from orilla_runtime.model import Model
    from orilla_runtime.tuning.speeds import Runnable


@click.command()
@click.argument("model", type=click.Path())
@click.option("--artifact", help="Only this artifact of the bundle.")
@click.option("--picture", type=click.Path(), help="A picture to classify; by default a drawn one of 1280x720.")
@click.option("--rounds", type=click.IntRange(min=10, max=100_000), default=100, show_default=True)
@model_options
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(model: str, artifact: str | None, picture: str | None, rounds: int, as_json: bool, **options: Any) -> int:
    """Time MODEL on every engine: the engine alone, and all from a decoded picture to its result.

    Artifacts of one precision are timed together, in interleaved rounds. What is found is remembered for this machine,
    and --engine auto takes the fastest from then on; another precision is only ever taken by --artifact.
    """
    rows: list[Row] = []
    with ExitStack() as stack:
        for group in _groups(stack, model, artifact):
            rows += _timed(group, model, picture, rounds, options)
    if not rows:
        from orilla_runtime.errors import EngineError

        raise EngineError(f"{model}: no engine here runs it.", "orilla doctor says what to install.")
    auto = _auto(model, artifact, options)
    if as_json:
        print_json([{**asdict(row.speed), "best": row.best, "auto": _way(row.speed) == auto} for row in rows])
        return 0
    columns = ("artifact", "engine", "threads", "first ms", "engine p50 / p95 / p99 ms", "frame p50 / p95 / p99 ms", "")
    print_table(columns, [_cells(row, auto) for row in rows], numeric=columns[2:-1])
    return 0


class Row(NamedTuple):
    """One line of the table; `best` of its precision."""

    speed: Speed
    best: bool


def _cells(row: Row, auto: tuple[str, str, int]) -> tuple[str, ...]:
    speed = row.speed
    marks = ["best"] * row.best + ["auto"] * (_way(speed) == auto)
    times = _three(speed.invoke), _three(speed.frame)
    return (speed.artifact, speed.engine, str(speed.threads), f"{speed.first:.2f}", *times, ", ".join(marks))


def _three(times: Percentiles) -> str:
    return f"{times.p50:.2f} / {times.p95:.2f} / {times.p99:.2f}"


def _way(speed: Speed) -> tuple[str, str, int]:
    return speed.artifact, speed.engine, speed.threads


def _groups(stack: ExitStack, path: str, artifact: str | None) -> Iterator[list[Runnable]]:
    """The files that do the same work: those of one precision."""
    from pathlib import Path

    from orilla_runtime.bundle.mark import is_bundle

    if not is_bundle(path):
        from orilla_runtime.formats.files import read_bytes
        from orilla_runtime.formats.sniff import read_model
        from orilla_runtime.loading_file import runnable as bare

        data = read_bytes(Path(path))
        yield [bare(Path(path).name, read_model(data, Path(path).name).format, data)]
        return
    from orilla_runtime.bundle.reader import open_bundle
    from orilla_runtime.loading_bundle import runnable, same_work

    bundle = stack.enter_context(open_bundle(path))
    if artifact is not None:
        yield [runnable(bundle, bundle.artifact(artifact))]
        return
    done: set[str | None] = set()
    for entry in bundle.manifest.artifacts:
        if entry.precision not in done:
            done.add(entry.precision)
            yield [runnable(bundle, one) for one in same_work(bundle, entry)]


def _timed(group: list[Runnable], path: str, picture: str | None, rounds: int, options: dict[str, Any]) -> list[Row]:
    from orilla_runtime.benchmark import benchmark

    with ExitStack() as stack:
        models = _open(stack, group, path, options)
        if not models:
            return []
        speeds = benchmark(models, _frame(picture), rounds)
    _remember(group, speeds, options)
    best = min(speeds, key=lambda speed: speed.invoke.p50)
    return [Row(speed, speed is best) for speed in speeds]


def _open(stack: ExitStack, group: list[Runnable], path: str, options: dict[str, Any]) -> list[tuple[Model, int]]:
    """A model for every file, engine and number of threads; what does not run is said and left out."""
    from orilla_runtime.bundle.mark import is_bundle
    from orilla_runtime.engines.registry import engines_for
    from orilla_runtime.engines.selection import no_engine
    from orilla_runtime.errors import OrillaError
    from orilla_runtime.model import load
    from orilla_runtime.tuning.measuring import thread_counts

    models: list[tuple[Model, int]] = []
    for file in group:
        wanted = {"artifact": file.name} if is_bundle(path) else {}
        names = [engine.name for engine in engines_for(file.format)]
        if options["engine"] != "auto":
            names = [options["engine"]]
        if not names:
            say(f"skipped {file.name}: {no_engine(file.format).message}")
        for name in names:
            for threads in (options["threads"],) if options["threads"] else thread_counts():
                try:
                    model = load(path, **{**options, **wanted, "engine": name, "threads": threads})
                except OrillaError as error:
                    if options["engine"] != "auto" or not is_bundle(path):
                        raise
                    say(f"skipped {file.name} on {name}: {printable(error.message)}")
                    break
                models.append((stack.enter_context(model), threads))
                if model.threads is None:
                    break  # another device than the CPU: threads mean nothing there
    return models


def _remember(group: list[Runnable], speeds: tuple[Speed, ...], options: dict[str, Any]) -> None:
    """Only what covers every way: `auto` must not choose among those that somebody picked for a comparison."""
    from orilla_runtime.tuning import cache
    from orilla_runtime.tuning.speeds import Speed as Measured

    if options["engine"] != "auto" or options["threads"] or options["device"] != "auto":
        return
    hashes = {file.name: file.sha256() for file in group}
    measured = []
    for speed in speeds:
        engine, _, device = speed.engine.partition("/")
        measured.append(Measured(hashes[speed.artifact], engine, device, speed.threads, speed.invoke.p50))
    # For a choice among all of them, and for one that --artifact has made.
    for files in (group, *([file] for file in group)):
        cache.remember(files, measured)


def _auto(path: str, artifact: str | None, options: dict[str, Any]) -> tuple[str, str, int]:
    """What --engine auto takes now."""
    from orilla_runtime.model import load

    wanted = {"artifact": artifact} if artifact else {}
    with load(path, **{**options, **wanted}) as model:
        return model.artifact, model.engine, model.threads or 1


def _frame(picture: str | None) -> Any:
    from orilla_runtime.sources.picture import read_picture

    if picture:
        return read_picture(picture)
    import numpy as np

    rows, columns = np.mgrid[0:720, 0:1280]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=2).astype(np.uint8)
