"""How a run is carried out: for files or live, by how many workers, with whose model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import UsageError
from orilla_runtime.records import dataclass
from orilla_runtime.sinks.base import Record
from orilla_runtime.sources.base import Image, Source
from orilla_runtime.timing import Timing

Decode = Literal["full", "auto", "reduced"]

Transform = Callable[[Record], Record]
"""What a program does to each record of a frame between the model and the sinks, in order and in one thread."""

_DECODERS = 4
"""Workers that only decode, where one model on another device than the CPU does the rest."""


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


class Replica(Protocol):
    """A model for one worker."""

    def process(self, image: Image) -> tuple[Any, Timing]: ...
    def close(self) -> None: ...


@runtime_checkable
class Replicable(Protocol):
    """A model of which every worker can have its own."""

    @property
    def cpu_threads(self) -> int | None:
        """How many CPUs it may use; None where another device computes, which replicas would only fight for."""
        ...

    def replica(self, threads: int = 1) -> Replica: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends, and what it leaves out.

    max_frames: frames and failures, at most. duration: seconds. every: of each source, every so many-th frame.
    rate: frames a second of each live source, at most. decode: whether JPEGs may be decoded at a part of their size.
    """

    max_frames: int | None = None
    duration: float | None = None
    every: int = 1
    rate: float | None = None
    decode: Decode = "full"

    def __post_init__(self) -> None:
        for name in ("max_frames", "every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value} is not possible.", "Give 1 or more.")
        if self.duration is not None and not self.duration > 0:
            raise UsageError(f"duration={self.duration} is not possible.", "Give more than 0 seconds.")
        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise UsageError(f"rate={self.rate} is not possible.", "Give more than 0 frames a second.")
        if self.decode not in get_args(Decode):
            raise UsageError(f"decode={self.decode!r} is not known.", f"Use {', '.join(get_args(Decode))}.")


@dataclass(frozen=True, slots=True)
class Plan:
    """live: cameras. workers: threads that decode and infer. replicas: each with a model of its own."""

    live: bool
    workers: int
    replicas: bool


def plan(model: PictureModel, sources: Sequence[Source], workers: int | None, limits: Limits) -> Plan:
    """One thread a picture and as many pictures at once as there are CPUs: no CPU waits for another's last layer.

    A single camera is run by the model as it was loaded, with all its threads: the verdict is what is waited for.

    Raises:
        UsageError: no source, cameras beside files, or a number of workers below 1.
    """
    if not sources:
        raise UsageError("There is no source.", "Give pictures, a folder, a video or a camera.")
    live = {source.live for source in sources}
    if len(live) > 1:
        raise UsageError("A camera cannot be run together with files.", "Run the files on their own.")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise UsageError(f"workers={workers!r} is not possible.", "Give 1 or more.")
    if limits.rate is not None and live == {False}:
        raise UsageError("A rate is for cameras: of files, every frame is wanted.", "Use every=N for files.")
    threads = model.cpu_threads if isinstance(model, Replicable) else None
    able = threads or min(usable_cpus(), _DECODERS)
    if live == {True}:
        able = min(able, len(sources))
    chosen = workers or able
    return Plan(live == {True}, chosen, threads is not None and chosen > 1)
