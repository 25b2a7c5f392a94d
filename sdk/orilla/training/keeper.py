"""Who keeps the checkpoint of a training: when it is written, and where a killed training goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla.training.checkpoint import Arrays, Checkpoint, write_checkpoint
from orilla.training.standing import Fitted, Standing


class Keeper:
    """The checkpoint of one training in `path` (None: none is kept), and the one that it goes on from, if any.

    It is written at the end of every epoch, and within an epoch when `seconds` have gone by since the last time.
    """

    def __init__(
        self, path: Path | None, identity: Mapping[str, Any], seconds: float, resumed: Checkpoint | None = None
    ) -> None:
        self._path, self._identity, self._seconds, self._resumed = path, identity, seconds, resumed
        self._behind = list(resumed.behind) if resumed else []
        self._before: Arrays = resumed.groups.get("before", ()) if resumed else ()
        self._written = time.monotonic()
        self.kept = resumed is not None
        """True where a checkpoint of this training is on the disk."""

    def finished(self, phase: str) -> Fitted | None:
        """What came of a phase that was finished before the training was killed."""
        return next((fitted for fitted in self._behind if fitted.best.phase == phase), None)

    def finish(self, fitted: Fitted) -> None:
        """A phase is behind us."""
        self._behind.append(fitted)

    def begin(self, weights: Arrays) -> Arrays:
        """A later phase begins with `weights`, which are kept with it; a resumed one began with those given back."""
        if not self._before:
            self._before = weights
        return self._before

    def standing(self, phase: str) -> Checkpoint | None:
        """The checkpoint to go on from, where it lies in `phase`."""
        return self._resumed if self._resumed and self._resumed.standing.phase == phase else None

    @property
    def writes(self) -> bool:
        """True where a checkpoint is kept at all."""
        return self._path is not None

    @property
    def due(self) -> bool:
        """True where enough time has gone by."""
        return self._path is not None and time.monotonic() - self._written >= self._seconds

    def keep(self, standing: Standing, groups: Mapping[str, Arrays]) -> None:
        """Write the checkpoint.

        Raises:
            SinkError: it cannot be written.
        """
        if self._path is None:
            return
        kept = {**groups, "before": self._before}
        write_checkpoint(self._path, Checkpoint(self._identity, tuple(self._behind), standing, kept))
        self.kept = True
        self._written = time.monotonic()
