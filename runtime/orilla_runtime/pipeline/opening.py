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
    from orilla_runtime.decisions import Region, Rules
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
    rules: Rules | None = None,
    smoothing: int = 1,
    region: Region | str | None = None,
    source_options: SourceOptions | None = None,
    **options: Any,
) -> Pipeline:
    """Run a model over pictures, a folder, a pattern, a video or cameras, and yield `frame, result` for each frame.

    `model` is a path, which is opened with `options` (see `load`) and closed at the end, or a loaded model. `source` is
    whatever `open_source` takes (a path, a pattern, a camera's index, an address, a `Source`), read with
    `source_options`, or a list of these. `rules` decide on every result (`result.decision`), after the scores of a
    video or camera were averaged over `smoothing` frames; they come before `transforms`. `region` is the part of each
    picture that the model looks at, in pixels or per cent (`25%,25%,50%,50%`). The others are those of `Pipeline`,
    which is what comes back: it has `counts`, `failures`, `stop` and `close`, and is a context manager.

    Raises:
        OrillaError: the model, a source or an option does not work.
    """
    from orilla_runtime.decisions import Decider, Region, RegionModel, Rules
    from orilla_runtime.sources.registry import open_source

    several = isinstance(source, Sequence) and not isinstance(source, str)
    specs: list[Any] = list(source) if several else [source]  # type: ignore[arg-type]
    decides = rules is not None or smoothing != 1
    with ExitStack() as stack:
        loaded: PictureModel
        if isinstance(model, str | Path):
            from orilla_runtime.model import load

            if decides:
                # A lead needs the second class, and a mean more than the first.
                options["top"] = max(options.get("top", 5), 2)
            loaded = stack.enter_context(load(model, **options))
        elif options:
            raise UsageError(
                f"A loaded model takes no options ({', '.join(options)}).", "Give them to `load`, or give a path here."
            )
        else:
            loaded = model
        if decides:
            decider = Decider(rules or Rules(), getattr(loaded, "labels", ()), smoothing)
            transforms = [decider, *transforms]
        if region is not None:
            loaded = RegionModel(loaded, Region.parse(region) if isinstance(region, str) else region)
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
