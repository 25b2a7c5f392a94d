"""`run`: from what a person writes to a `Pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla_runtime.errors import UsageError
from orilla_runtime.pipeline.face import Pipeline
from orilla_runtime.pipeline.plan import Decode, PictureModel, Transform
from orilla_runtime.sinks.base import Sink
from orilla_runtime.sources.base import Source

if TYPE_CHECKING:
    from orilla_runtime.sources.options import SourceOptions

Spec = int | str | Path | Source


def run(
    model: str | Path | PictureModel,
    source: Spec | Sequence[Spec],
    *,
    sinks: Sequence[Sink] = (),
    max_frames: int | None = None,
    duration: float | None = None,
    every: int = 1,
    rate: float | None = None,
    workers: int | None = None,
    decode: Decode = "full",
    transforms: Sequence[Transform] = (),
    source_options: SourceOptions | None = None,
    **options: Any,
) -> Pipeline:
    """Run a model over pictures, a folder, a pattern, a video or cameras, and yield `frame, result` for each frame.

    `model` is a path, which is opened with `options` (see `load`) and closed at the end, or a loaded model. `source` is
    whatever `open_source` takes (a path, a pattern, a camera's index, an address, a `Source`), read with
    `source_options`, or a list of these. The others are those of `Pipeline`, which is
    what comes back: it has `counts`, `failures`, `stop` and `close`, and is a context manager.

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
        with ExitStack() as opened:
            for spec in specs:
                sources.append(open_source(spec, source_options))
                opened.callback(sources[-1].close)
            pipeline = Pipeline(
                loaded,
                sources,
                sinks,
                max_frames=max_frames,
                duration=duration,
                every=every,
                rate=rate,
                workers=workers,
                decode=decode,
                transforms=transforms,
            )
            # From here on the run closes its sources itself, and waits for none that hangs.
            opened.pop_all()
        pipeline._run.resources = stack.pop_all()
    return pipeline
