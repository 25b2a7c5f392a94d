"""`orilla run`: a model on pictures, videos or a camera."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import counted_progress, print_json, say
from orilla.cli.decision_options import decision_options, taken_decisions
from orilla.cli.model_options import model_options, require_picture
from orilla.cli.notify import Notifier
from orilla.cli.pace_options import pace_options, reduced_line, taken_pace, without_loss
from orilla.cli.page_options import page_options, taken_page
from orilla.cli.source_options import source_options, taken_options
from orilla.cli.station import config_option
from orilla.cli.stopping import stopped_by_signals
from orilla.cli.unsure_options import taken_unsure, unsure_options
from orilla.cli.warnings import warnings_shown
from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla.cli.run_summary import Summary
    from orilla.cli.status_line import StatusLine
    from orilla_runtime.pipeline import Pipeline
    from orilla_runtime.sinks.base import Sink
    from orilla_runtime.sources.base import Source
    from orilla_runtime.sources.options import SourceOptions

LONG_FRAMES, LONG_SECONDS = 1000, 60


@click.command()
@config_option
@click.argument("model")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--jsonl", help="Write one JSON object a frame to this file (cameras: add); - is standard output.")
@click.option("--csv", help="Write one row a frame to this file (cameras: add); - is standard output.")
@click.option("--sqlite", help="Append one row a frame to this database.")
@click.option("--mqtt", metavar="ADDRESS", help="Publish one object a frame: mqtt[s]://[user:password@]broker/topic.")
@click.option("--save", help="Write annotated pictures to this folder, or a video (.mp4, .avi, .mkv, .mov).")
@click.option("--show", is_flag=True, help="Show a window; q, Esc or closing it ends the run.")
@page_options
@click.option("--sink", "outside", multiple=True, metavar="NAME[=TARGET]", help="A sink that another package brings.")
@click.option("--artifact", help="This artifact of the bundle: its path, its name, or format:precision.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes a result holds.")
@click.option("--max-frames", type=click.IntRange(min=1), help="Stop after so many frames.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@decision_options
@unsure_options
@pace_options
@source_options
@model_options
@click.option(
    "--measure",
    type=click.Choice(["never", "once", "anew"]),
    help="Find the fastest engine and threads first; by default once, before a camera or 1,000 frames and more.",
)
@click.option("--quiet", is_flag=True, help="No progress, no summary, and results only where a sink puts them.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one object on standard output.")
def command(
    model: str,
    sources: tuple[str, ...],
    artifact: str | None,
    top: int,
    max_frames: int | None,
    duration: float | None,
    measure: str | None,
    quiet: bool,
    as_json: bool,
    **others: Any,
) -> int:
    """Run MODEL, a bundle, a .tflite or an .onnx file, on every SOURCE.

    A SOURCE is a picture, a folder, a pattern in quotes, a video, the number or the device of a camera (a file named 0
    is ./0), an address (rtsp://…, http://… with MJPEG), - for JPEGs on standard input, watch:FOLDER for files that are
    still to come, env:NAME for what the variable NAME holds (an address with a password), or pattern:1280x720@30.
    Put -- before names that begin with a dash.

    Without --jsonl -, --csv - or --json, and without --quiet where another sink holds the results, standard output gets
    one line a picture, or one at each change of the best class of a video or camera: name, label and score, with tabs
    between; of a model that is no classifier, what its outputs are, whose values --jsonl holds. Pictures that cannot be
    read are reported, the run goes on, and the exit code is 1; of cameras only where all were given up. Ctrl-C ends a
    run in good order: of cameras with 0, of files with 1.
    """
    from orilla.cli.result_lines import ResultLines
    from orilla.cli.run_summary import Summary
    from orilla.cli.status_line import StatusLine
    from orilla_runtime.model import load
    from orilla_runtime.pipeline import Pipeline

    wanted, page = _wanted_sinks(others), taken_page(others)
    options, pace, decisions = taken_options(others), taken_pace(others), taken_decisions(others)
    unsure_folder = others["save_unsure"]
    unsure = taken_unsure(others, has_rules=decisions.have_rules)
    top = decisions.least_classes(top)
    to_stdout = [name for name, target in wanted if target == "-"]
    if len(to_stdout) + as_json > 1:
        raise UsageError("Only one of --jsonl -, --csv - and --json can have standard output.", "Name a file.")
    _refuse_overwriting([*(target for _, target in wanted), unsure_folder or ""], (model, *sources))
    with ExitStack() as stack:
        opened = _open_sources(stack, sources, options)
        live = any(source.live for source in opened)
        measure = measure or ("once" if _is_long(opened, max_frames, duration) else "never")
        loaded = stack.enter_context(load(model, artifact=artifact, top=top, measure=measure, **others))
        require_picture(loaded)
        if not loaded.labels and any(name == "csv" for name, _ in wanted):
            raise UsageError("CSV holds the results of a classifier only.", "Write --jsonl.")
        if not quiet and measure != "never":
            say(f"{loaded.artifact} on {loaded.engine}: {printable(loaded.why)}")
        decider = decisions.decider(loaded.labels)
        sinks = [*_open_sinks(stack, wanted, append=live), *([unsure()] if unsure else [])]
        shown = page() if page else None
        if shown is not None:
            stack.callback(shown.close)
            sinks.append(shown)
            say(f"page: {shown.url}")
        status = StatusLine(sys.stderr) if live and not quiet and sys.stderr.isatty() else None
        # With --quiet, results that have their place are not told again: a station's log would be full of them.
        have_place = quiet and any(getattr(sink, "durable", False) for sink in sinks)
        if not to_stdout and not as_json and not have_place:
            sinks.append(ResultLines(sys.stdout, live=live, around=_around(status)))
        pipeline = stack.enter_context(
            Pipeline(
                decisions.model(loaded),
                opened,
                sinks,
                max_frames=max_frames,
                duration=duration,
                transforms=[decider] if decider else [],
                **without_loss(pace, sinks),
            ),
        )
        if shown is not None:
            shown.follow(lambda: pipeline.counts, [source.name for source in opened if source.live])
        summary = Summary(pipeline, loaded)
        # On a terminal the lines of results are the progress of files; cameras have a line of their own.
        no_bar = quiet or live or (sys.stdout.isatty() and not as_json)
        with stopped_by_signals(pipeline.stop) as interrupted:
            _consume(pipeline, summary, status, None if no_bar else _total(opened, max_frames), no_bar)
    limited = max_frames is not None or duration is not None
    return _conclude(pipeline, summary, interrupted(), limited, quiet=quiet, as_json=as_json)


def _consume(pipeline: Pipeline, summary: Summary, status: StatusLine | None, total: int | None, no_bar: bool) -> None:
    notifier = Notifier(os.environ)
    with (
        status.follow(pipeline) if status else nullcontext(),
        warnings_shown(_around(status)),
        counted_progress("running", no_bar) as progress,
    ):
        for record in pipeline:
            summary.add(record)
            notifier.beat()
            if status:
                status.see(record)
            counts = pipeline.counts
            progress(counts.processed + counts.failed, total)
    notifier.stopping()


def _around(status: StatusLine | None) -> Callable[[], AbstractContextManager[None]]:
    """What makes room for a line on the terminal."""
    return status.aside if status else nullcontext


def _conclude(
    pipeline: Pipeline, summary: Summary, interrupted: bool, limited: bool, *, quiet: bool, as_json: bool
) -> int:
    counts = pipeline.counts
    if as_json:
        print_json(summary.as_object())
    if not quiet:
        say(summary.line())
        if line := reduced_line(pipeline.reduced):
            say(line)
    if pipeline.live:
        if counts.failed:
            say(f"{counts.failed} times a camera was lost, or something was wrong with its pictures.")
        # A camera that came back is no failed run; one that ended it is.
        as_wished = counts.processed and (interrupted or limited or pipeline.stopped)
        return 1 if counts.failed and not as_wished else 0
    if counts.failed:
        say(f"{counts.failed} of {counts.failed + counts.processed} pictures could not be read.")
    if interrupted:
        say("interrupted before the end.")
    return 1 if counts.failed or interrupted else 0


def _is_long(sources: list[Source], max_frames: int | None, duration: float | None) -> bool:
    """Whether a few seconds of measuring are worth it: a camera, or so many frames that they come back."""
    if (max_frames is not None and max_frames < LONG_FRAMES) or (duration is not None and duration < LONG_SECONDS):
        return False
    if any(source.live for source in sources):
        return True
    return (_total(sources, max_frames) or 0) >= LONG_FRAMES


def _wanted_sinks(others: dict[str, Any]) -> list[tuple[str, str]]:
    """Takes the sinks' options out of `others`: names and targets, in the order in which they are written to."""
    names = {"jsonl": "jsonl", "csv": "csv", "sqlite": "sqlite", "mqtt": "mqtt", "annotated": "save"}
    wanted = [(name, others.pop(option)) for name, option in names.items()]
    wanted = [(name, target) for name, target in wanted if target is not None]
    for text in others.pop("outside"):
        name, _, target = text.partition("=")
        wanted.append((name, target))
    if others.pop("show"):
        wanted.append(("window", ""))
    return wanted


def _refuse_overwriting(targets: list[str], inputs: tuple[str, ...]) -> None:
    """Also of a folder that is watched: what is written there would be read, and written, and read."""
    taken = {_identity(name.removeprefix("watch:")) for name in inputs} - {None}
    for target in targets:
        identity = _identity(target) if target not in {"", "-"} else None
        if identity is None:
            continue
        if identity in taken:
            raise UsageError(f"{target} is read or written already.", "Give every output a place of its own.")
        taken.add(identity)


def _identity(name: str) -> Path | None:
    try:
        return Path(name).resolve()
    except (OSError, ValueError, RuntimeError):
        return None


def _open_sources(stack: ExitStack, names: tuple[str, ...], options: SourceOptions) -> list[Source]:
    """Every source; of several, one that cannot be opened is counted as a failure like a picture in a folder."""
    from orilla.cli.unopened import Unopened
    from orilla_runtime.sources.address import masked_address
    from orilla_runtime.sources.registry import open_source

    opened: list[Source | SourceError] = []
    for name in names:
        try:
            source = open_source(name, options)
        except SourceError as error:
            opened.append(error)
        else:
            stack.callback(source.close)
            opened.append(source)
    errors = [one for one in opened if isinstance(one, SourceError)]
    if len(errors) == len(names):
        raise errors[0]
    live = any(one.live for one in opened if not isinstance(one, SourceError))
    return [
        Unopened(masked_address(name), one.message, live=live) if isinstance(one, SourceError) else one
        for name, one in zip(names, opened, strict=True)
    ]


def _open_sinks(stack: ExitStack, wanted: list[tuple[str, str]], *, append: bool) -> list[Sink]:
    """`append`: of cameras, whose run is started again and again and must not drop what the last one has seen."""
    from orilla_runtime.sinks.registry import open_sink

    sinks: list[Sink] = []
    for name, target in wanted:
        sinks.append(open_sink(name, target, append=append))
        stack.callback(sinks[-1].close)
    return sinks


def _total(sources: list[Source], max_frames: int | None) -> int | None:
    """How many frames are to come, where that can be told without opening every video of a long list."""
    from orilla_runtime.sources.images import ImagesSource

    if len(sources) > 1 and not all(isinstance(source, ImagesSource) for source in sources):
        return max_frames
    totals = [source.total for source in sources]
    known = None if None in totals else sum(total for total in totals if total is not None)
    return min((number for number in (known, max_frames) if number is not None), default=None)
