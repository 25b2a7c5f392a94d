"""The loop: sources, one model, many sinks; counts, timing, stop."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from orilla_runtime.errors import OrillaError, SinkError, SourceError, UsageError
from orilla_runtime.sinks.base import Counts, Record, Sink, StopRun, Timing
from orilla_runtime.sources.base import Failure, Frame, Image, Source
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

MAX_FAILURES = 100
"""How many failures a pipeline remembers; it counts them all."""


class PictureModel(Protocol):
    """What a pipeline needs of a model; `orilla_runtime.model.Model` is one."""

    @property
    def bundle_id(self) -> str | None: ...
    @property
    def artifact(self) -> str: ...
    @property
    def engine(self) -> str: ...
    def process(self, image: Image) -> tuple[Any, Timing]:
        """The result of one picture and what it cost; `decode` is filled in by the pipeline."""
        ...


class Pipeline:
    """Runs a model over sources, writes every record to the sinks, and yields the records of frames.

    Iterate once, or call `run`. Several file sources are read one after another, every frame of them, in order. A
    picture that cannot be read is counted in `counts`, kept in `failures` (the first 100), logged as a warning and
    written to the sinks; it is never raised. Sinks are finished and closed, and sources closed, when the loop ends in
    any way: by itself, by `stop`, `break`, `close`, Ctrl-C or an error. No record is kept here, so memory stays flat.
    One thread iterates; `stop` and `counts` are for any thread.

    Args:
        model: a loaded model; it stays open.
        sources: one source or several; a live one must be the only one.
        sinks: each gets every record, in order, in this thread.
        max_frames: stop after so many frames and failures.
        duration: stop at the first frame after so many seconds.

    Raises:
        UsageError: a live source beside others, no source, or a limit that is not positive.
        ModelError: while iterating: the model gave no sensible result.
        SinkError: while iterating: a sink failed; the other sinks have the record and are closed in good order.
    """

    def __init__(
        self,
        model: PictureModel,
        sources: Source | Sequence[Source],
        sinks: Sequence[Sink] = (),
        *,
        max_frames: int | None = None,
        duration: float | None = None,
    ) -> None:
        chosen = tuple(sources) if isinstance(sources, Sequence) else (sources,)
        _check(chosen, max_frames, duration)
        self._run = _Run(model, chosen, tuple(sinks), max_frames, duration)
        # The generator must not refer to this object: without that cycle, a `break` ends the run at once.
        self._records = _records(self._run)

    @property
    def counts(self) -> Counts:
        """What became of every frame until now."""
        return self._run.counts

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The first failures, at most 100."""
        return tuple(self._run.failures)

    @property
    def live(self) -> bool:
        """True where a camera is the source: the run does not end by itself."""
        return any(source.live for source in self._run.sources)

    @property
    def stopped(self) -> bool:
        """True once `stop` was called, or a sink asked for the end."""
        return self._run.stopping.is_set()

    def stop(self) -> None:
        """End the run after the frame that is being processed; from any thread, or from a signal handler."""
        self._run.stopping.set()

    def run(self) -> Counts:
        """Run to the end, for the sinks alone."""
        for _ in self:
            pass
        return self.counts

    def close(self) -> None:
        """End the run now and release everything; may be called twice. Raises SinkError."""
        self._records.close()
        self._run.end()

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        return next(self._records)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run(
    model: str | Path | PictureModel,
    source: int | str | Path | Source | Sequence[int | str | Path | Source],
    *,
    sinks: Sequence[Sink] = (),
    max_frames: int | None = None,
    duration: float | None = None,
    **options: Any,
) -> Pipeline:
    """Run a model over pictures, a folder, a pattern, a video or a camera, and yield `frame, result` for each frame.

    `model` is a path, which is opened with `options` (see `load`) and closed at the end, or a loaded model. `source` is
    a path, a pattern, a camera's index, a `Source`, or a list of these. What comes back is a `Pipeline`: it has
    `counts`, `failures`, `stop` and `close`, and is a context manager.

    Raises:
        OrillaError: the model, a source or an option does not work.
    """
    from orilla_runtime.sources.registry import open_source

    several = isinstance(source, Sequence) and not isinstance(source, str)
    specs: list[Any] = list(source) if several else [source]  # type: ignore[arg-type]
    with ExitStack() as stack:
        loaded: PictureModel
        if isinstance(model, str | Path):
            from orilla_runtime.model import load

            loaded = stack.enter_context(load(model, **options))
        elif options:
            raise UsageError(
                f"A loaded model takes no options ({', '.join(options)}).", "Give them to `load`, or give a path here."
            )
        else:
            loaded = model
        sources = []
        for spec in specs:
            sources.append(open_source(spec))
            stack.callback(sources[-1].close)
        pipeline = Pipeline(loaded, sources, sinks, max_frames=max_frames, duration=duration)
        pipeline._run.resources = stack.pop_all()
    return pipeline


class _Run:
    """The state of one run."""

    def __init__(
        self,
        model: PictureModel,
        sources: tuple[Source, ...],
        sinks: tuple[Sink, ...],
        max_frames: int | None,
        duration: float | None,
    ) -> None:
        self.model = model
        self.sources = sources
        self.sinks = sinks
        self.max_frames = max_frames
        self.duration = duration
        self.stopping = threading.Event()
        self.resources = ExitStack()
        self.failures: list[Failure] = []
        self._processed = 0
        self._failed = 0
        self._dropped = 0
        self._ended = False

    @property
    def counts(self) -> Counts:
        dropped = self._dropped if self._ended else sum(source.dropped for source in self.sources)
        return Counts(self._processed, self._failed, dropped)

    def classify(self, frame: Frame) -> Record:
        result, spent = self.model.process(frame.image)
        timing = Timing(frame.decode_ns / 1e6, spent.preprocess, spent.infer, spent.postprocess)
        self._processed += 1
        return Record(frame, result, timing, None, self.model.bundle_id, self.model.artifact, self.model.engine)

    def fail(self, failure: Failure) -> Record:
        self._failed += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(failure)
        _log.warning("%s", printable(failure.error))
        return Record(None, None, None, failure, self.model.bundle_id, self.model.artifact, self.model.engine)

    def write(self, record: Record) -> None:
        """Give the record to every sink, also behind one that fails."""
        errors: list[SinkError] = []
        for sink in self.sinks:
            try:
                sink.write(record)
            except StopRun:
                self.stopping.set()
            except Exception as error:
                errors.append(_as_sink_error(sink, error))
        _raise_first(errors)

    def is_over(self, deadline: float) -> bool:
        taken = self._processed + self._failed
        reached = self.max_frames is not None and taken >= self.max_frames
        return reached or self.stopping.is_set() or time.monotonic() >= deadline

    def end(self) -> None:
        """Finish and close everything, once, whatever fails."""
        if self._ended:
            return
        counts = self.counts
        self._ended, self._dropped = True, counts.dropped
        errors: list[SinkError] = []
        for sink in self.sinks:
            try:
                sink.finish(counts)
            except StopRun:
                continue
            except Exception as error:
                errors.append(_as_sink_error(sink, error))
        with self.resources:
            for sink in self.sinks:
                try:
                    sink.close()
                except Exception as error:
                    errors.append(_as_sink_error(sink, error))
            for source in self.sources:
                source.close()
        _raise_first(errors)


def _records(run: _Run) -> Generator[Record, None, None]:  # a generator: closing it ends the run
    try:
        yield from _loop(run)
    except GeneratorExit:
        run.end()
        raise
    except BaseException:
        # The first error is the one to tell; what fails while everything is closed behind it is logged.
        try:
            run.end()
        except OrillaError as error:
            _log.warning("%s", printable(error.message))
        raise
    run.end()


def _loop(run: _Run) -> Iterator[Record]:
    deadline = math.inf if run.duration is None else time.monotonic() + run.duration
    for source in run.sources:
        if run.is_over(deadline):
            return
        for item in _items(source):
            record = run.fail(item) if isinstance(item, Failure) else run.classify(item)
            run.write(record)
            if record.frame is not None:
                yield record
            if run.is_over(deadline):
                return
        source.close()


def _items(source: Source) -> Iterator[Frame | Failure]:
    """What a source yields; an error that it raises is a failure like others, and its last."""
    index = 0
    try:
        for item in source:
            yield item
            index += 1
    except SourceError as error:
        yield Failure(source.name, index, error.message)


def _as_sink_error(sink: Sink, error: Exception) -> SinkError:
    if isinstance(error, SinkError):
        return error
    wrapped = SinkError(f"{type(sink).__name__} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _raise_first(errors: list[SinkError]) -> None:
    for other in errors[1:]:
        _log.warning("%s", printable(other.message))
    if errors:
        raise errors[0]


def _check(sources: tuple[Source, ...], max_frames: int | None, duration: float | None) -> None:
    if not sources:
        raise UsageError("There is no source.", "Give pictures, a folder, a video or a camera.")
    if len(sources) > 1 and any(source.live for source in sources):
        raise UsageError("A camera cannot be run together with other sources.", "Run one for each camera.")
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"max_frames={max_frames} is not possible.", "Give 1 or more.")
    if duration is not None and not duration > 0:
        raise UsageError(f"duration={duration} is not possible.", "Give more than 0 seconds.")
