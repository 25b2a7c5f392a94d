"""What TensorBoard shows of a training: event files, written without the package `tensorboard`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.training.progress import EpochEnd
from orilla_runtime.errors import SinkError

_FILE = "events.out.tfevents.0.orilla"
"""One name: a log that is written again takes the place of the old one."""


class EventLog:
    """Two runs in `folder`, `train` and `validation`, with the tags that Keras' own callback writes.

    Raises:
        SinkError: here and in `write`: the disk is full, or the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _told(folder):
            self._writers = {name: self._writer(folder / name) for name in ("train", "validation")}

    @staticmethod
    def _writer(folder: Path) -> Any:
        _, tf = keras_and_tensorflow()
        folder.mkdir(parents=True, exist_ok=True)
        writer = tf.io.TFRecordWriter(str(folder / _FILE))
        writer.write(tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        return writer

    def write(self, number: int, end: EpochEnd) -> None:
        """One epoch; `number` counts through all phases, from 1."""
        train = {"epoch_loss": end.loss, "epoch_accuracy": end.accuracy, "epoch_learning_rate": end.learning_rate}
        validation = {"epoch_loss": end.val_loss, "epoch_accuracy": end.val_accuracy}
        if end.val_balanced is not None:
            validation["epoch_balanced_accuracy"] = end.val_balanced
        with _told(self._folder):
            self._add("train", number, train)
            self._add("validation", number, validation)

    def _add(self, run: str, number: int, values: dict[str, float]) -> None:
        _, tf = keras_and_tensorflow()
        summary = tf.compat.v1.Summary(
            value=[tf.compat.v1.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        event = tf.compat.v1.Event(wall_time=time.time(), step=number, summary=summary)
        self._writers[run].write(event.SerializeToString())
        self._writers[run].flush()

    def close(self) -> None:
        """Close both files. Every epoch is in them already, so a full disk takes nothing away here."""
        _, tf = keras_and_tensorflow()
        for writer in self._writers.values():
            with suppress(OSError, tf.errors.OpError):
                writer.close()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """TensorFlow has errors of its own for what a disk does."""
    _, tf = keras_and_tensorflow()
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error.message).rpartition("; ")[2]
        raise SinkError(f"{folder}: {reason or error}.", "Free space there.") from error
