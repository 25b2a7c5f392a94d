"""One trial: a training that can be given up after each epoch."""

from __future__ import annotations

import errno
import gc
import shutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orilla.training import progress as training
from orilla.training import train
from orilla.tuning.around import Space
from orilla.tuning.progress import Epoch, Progress
from orilla.tuning.space import Value
from orilla.tuning.study import Claim
from orilla_runtime.errors import DataError, OrillaError, SinkError, SourceError

MODEL_FILE = "model.keras"
_HOPELESS = (DataError, SourceError, SinkError)
"""What no other parameters would cure."""


@dataclass(frozen=True, slots=True)
class Task:
    """What all trials of a study train: `train`'s data, its seed and the shares that decide the split."""

    data: str
    seed: int
    space: Space
    folder: Path
    split: Mapping[str, Any] = field(default_factory=dict)

    def home(self, number: int) -> Path:
        """The folder of a trial's files."""
        return self.folder / "trials" / f"{number:05}"

    def model_file(self, number: int) -> Path:
        """The model of a trial that ran to its end."""
        return self.home(number) / MODEL_FILE

    def train(self, number: int, model: str, values: Mapping[str, Value], progress: training.Progress) -> None:
        """Train the model of a trial into its place."""
        self.home(number).mkdir(parents=True, exist_ok=True)
        changes: dict[str, Any] = {**self.split, **self.space.branch(model).changes(values)}
        train(
            self.data,
            output=self.model_file(number),
            model=model,
            seed=self.seed,
            record=False,
            progress=progress,
            **changes,
        )

    def remove(self, number: int) -> None:
        """Remove a trial's files."""
        shutil.rmtree(self.home(number), ignore_errors=True)


class _GivenUp(Exception):  # noqa: N818 - no error
    """Ends a training from within its progress."""


class _Watch:
    """Follows a training: reports its epochs and gives it up where the study or the user says so."""

    def __init__(self, claim: Claim, progress: Progress, stopped: Callable[[], bool]) -> None:
        self._claim, self._progress, self._stopped = claim, progress, stopped
        self._before, self._phase, self._phase_epochs = 0, "", 0
        self.verdict: Literal["", "pruned", "stopped"] = ""

    def __call__(self, event: training.Event) -> None:
        if isinstance(event, training.EpochEnd):
            self._epoch(event)
        if self._stopped():
            self.verdict = "stopped"
        if self.verdict:
            raise _GivenUp

    def _epoch(self, event: training.EpochEnd) -> None:
        if event.phase != self._phase:
            # The steps of a phase begin at the same number in every trial, also where the phase before ended early.
            self._before += self._phase_epochs
            self._phase, self._phase_epochs = event.phase, event.epochs
        self._progress(Epoch(self._claim.number, event))
        if self._claim.report(self._before + event.epoch, event.val_accuracy, event.val_loss):
            self.verdict = "pruned"


def run_trial(task: Task, claim: Claim, progress: Progress, stopped: Callable[[], bool]) -> None:
    """Run a trial to its end, whatever that is; the study knows it afterwards.

    Raises:
        OrillaError: a fault of the pictures or of the disk, which every other trial would meet too.
        KeyboardInterrupt: as it came; the trial is given back.
    """
    watch = _Watch(claim, progress, stopped)
    try:
        task.train(claim.number, claim.model, claim.values, watch)
    except BaseException as error:
        task.remove(claim.number)
        _settle(claim, watch, error)
    else:
        claim.done()
    finally:
        _forget_nets()


def _settle(claim: Claim, watch: _Watch, error: BaseException) -> None:
    # What was raised in a callback may come out wrapped.
    if watch.verdict == "pruned":
        claim.pruned()
    elif watch.verdict == "stopped":
        claim.given_back()
    elif not isinstance(error, Exception) or isinstance(error, _HOPELESS) or _disk_is_full(error):
        claim.given_back()
        raise error
    else:
        claim.failed(_reason(error))


def _disk_is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def _reason(error: Exception) -> str:
    """The failure in one line."""
    if isinstance(error, OrillaError):
        return error.message
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "out of memory"
    lines = str(error).strip().splitlines()
    last = traceback.extract_tb(error.__traceback__)[-1]
    # Nobody expected it: who looks for it needs the place.
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {lines[0][:200] if lines else ''}"


def _forget_nets() -> None:
    """Keras keeps what it built; thirty nets would fill the memory."""
    from orilla.keras_backend import keras_and_tensorflow

    keras, _ = keras_and_tensorflow()
    keras.backend.clear_session()
    gc.collect()
