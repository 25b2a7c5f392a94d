"""`Pipeline`: what a program sees of a run."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from types import TracebackType

from orilla_runtime.pipeline.delivery import SinkReport
from orilla_runtime.pipeline.plan import Decode, Limits, PictureModel, Transform, plan
from orilla_runtime.pipeline.reduction import Reduced
from orilla_runtime.pipeline.state import Run
from orilla_runtime.sinks.base import Counts, Record, Sink
from orilla_runtime.sources.base import Failure, Source


class Pipeline:
    """Runs a model over sources, writes every record to the sinks, and yields the records of frames.

    Iterate once, or call `run`. Files are read one source after another, every frame of them, and delivered in order;
    several are decoded and inferred at once, each on one CPU. Live sources run side by side: of each the newest frame,
    in turn. What cannot be read is counted in `counts`, kept in `failures` (the first 100), logged as a warning and
    written to the sinks; it is never raised. Sinks are finished and closed, and sources closed, when the loop ends in
    any way: by itself, by `stop`, `break`, `close`, Ctrl-C or an error; within a second, also while a camera hangs.

    A record, with its picture, belongs to whoever holds it: nothing overwrites it. None is kept here, so memory stays
    flat. One thread iterates; `stop` and `counts` are for any thread, and `stop` for signal handlers.

    Beside the model and the decoding a frame costs some 15 microseconds; a run of many frames costs a thread and a
    replica of the model for each worker, made after the first four, and of cameras a thread for each of them and for
    each sink. They are there while the run is.

    Args:
        model: a loaded model; it stays open. With replicas (`Model`) inference is parallel, else shared.
        sources: one source or several, either files or live ones.
        sinks: each gets every record in order: of files in this thread, of live sources see `Sink`.
        max_frames: stop after so many frames and failures.
        duration: stop after so many seconds.
        every: of each source only every so many-th frame.
        rate: of each live source so many frames a second at most.
        workers: pictures at once; by default as many as the model may use CPUs, and 1 for a single live source.
        decode: `full`; `reduced`: JPEGs at a half, a quarter or an eighth of their size, as far as the model needs no
            more; `auto`: so where the labels of pictures that are tried both ways agree. `frame.image` is then the
            smaller picture, and `frame.reduction` says so.
        transforms: what is done to each record of a frame before the sinks, in order.

    Raises:
        UsageError: live sources beside files, no source, or a limit that is not possible.
        ModelError: while iterating: the model gave no sensible result.
        SinkError: while iterating over files: a sink failed; the other sinks have the record and are closed in good
            order. At the end of a live run: a sink lost records.
    """

    def __init__(
        self,
        model: PictureModel,
        sources: Source | Sequence[Source],
        sinks: Sequence[Sink] = (),
        *,
        max_frames: int | None = None,
        duration: float | None = None,
        every: int = 1,
        rate: float | None = None,
        workers: int | None = None,
        decode: Decode = "full",
        transforms: Sequence[Transform] = (),
    ) -> None:
        chosen = tuple(sources) if isinstance(sources, Sequence) else (sources,)
        limits = Limits(max_frames, duration, every, rate, decode)
        self._run = Run(model, chosen, sinks, limits, plan(model, chosen, workers, limits), transforms)
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
    def reports(self) -> tuple[SinkReport, ...]:
        """How each sink does."""
        return self._run.delivery.reports

    @property
    def reduced(self) -> Reduced:
        """What came of `decode`: pictures that were decoded at a part of their size, and the comparisons."""
        return self._run.reduction.summary if self._run.reduction else Reduced()

    @property
    def live(self) -> bool:
        """True where a camera is the source: the run does not end by itself."""
        return self._run.plan.live

    @property
    def stopped(self) -> bool:
        """True once `stop` was called, or a sink asked for the end."""
        return self._run.stopping

    def stop(self) -> None:
        """End the run in good order, within a moment; from any thread, or from a signal handler."""
        self._run.stop()

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


def _records(run: Run) -> Generator[Record, None, None]:  # a generator: closing it ends the run
    try:
        run.start()
        while (job := run.following()) is not None:
            record = run.settled(job)
            run.delivery.write(record)
            # Held here, the frame's buffer could not be used again while the caller asks for the next.
            del job
            if record.frame is not None:
                yield record
            del record
    except GeneratorExit:
        run.end()
        raise
    except BaseException:
        run.end_quietly()
        raise
    run.end()
