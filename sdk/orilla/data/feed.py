"""Batches for training: their order and their changes are a function of seed and epoch, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow

Places = NDArray[np.int64]
_ORDER, _SHIFT = 1, 2


class Examples(Protocol):
    """What can be trained on: arrays by their place in the data set."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        ...

    def take(self, places: Places) -> NDArray[Any]:
        """The examples at `places`, in that order."""
        ...


class Change(Protocol):
    """Changes examples of training (augmentation), as a function of seed, epoch and place."""

    def __call__(self, batch: NDArray[Any], places: Places, epoch: int) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """The examples at `places` with their class ids (one for each place of the whole set)."""

    examples: Examples
    class_ids: Places
    places: Places
    batch_size: int

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.places) // self.batch_size)

    def training(self, seed: int, change: Change | None = None, first_epoch: int = 0) -> Any:
        """A `tf.data.Dataset` of epoch after epoch without end, each in its own order."""

        def epochs() -> Iterator[tuple[NDArray[Any], Places]]:
            epoch = first_epoch
            while True:
                yield from self._batches(epoch_order(self.places, seed, epoch), epoch, change)
                epoch += 1

        _, tf = keras_and_tensorflow()
        return self._dataset(epochs).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    def in_order(self) -> Any:
        """A `tf.data.Dataset` of one pass, unchanged, in the order of `places`."""
        _, tf = keras_and_tensorflow()
        one_pass = self._dataset(lambda: self._batches(self.places, 0, None))
        return one_pass.apply(tf.data.experimental.assert_cardinality(self.steps))

    def _batches(self, places: Places, epoch: int, change: Change | None) -> Iterator[tuple[NDArray[Any], Places]]:
        for start in range(0, len(places), self.batch_size):
            chosen = places[start : start + self.batch_size]
            batch = self.examples.take(chosen)
            yield (change(batch, chosen, epoch) if change else batch), self.class_ids[chosen]

    def _dataset(self, generator: Any) -> Any:
        _, tf = keras_and_tensorflow()
        signature = (
            tf.TensorSpec((None, *self.examples.shape), self.examples.take(self.places[:1]).dtype),
            tf.TensorSpec((None,), tf.int64),
        )
        dataset = tf.data.Dataset.from_generator(generator, output_signature=signature)
        # Pixels travel as bytes and become numbers at the last moment: a float picture is four times as large.
        return dataset.map(lambda x, y: (tf.cast(x, tf.float32), y)).prefetch(2)


def epoch_order(places: Places, seed: int, epoch: int) -> Places:
    """`places` shuffled for one epoch."""
    return places[np.random.default_rng((_ORDER, seed, epoch)).permutation(len(places))]


@dataclass(frozen=True, slots=True)
class Shift:
    """Moves each picture by up to `share` of its sides; the border repeats its edge. `count` pictures in the set."""

    seed: int
    share: float
    count: int

    def __call__(self, batch: NDArray[Any], places: Places, epoch: int) -> NDArray[Any]:
        """uint8 [n, height, width, depth] to the same shape."""
        height, width = batch.shape[1:3]
        reach = np.array([round(height * self.share), round(width * self.share)])
        # Drawn for the whole set: what happens to a picture does not hang on the batch that it stands in.
        drawn = np.random.default_rng((_SHIFT, self.seed, epoch)).integers(-reach, reach + 1, (self.count, 2))
        rows, columns = np.arange(height), np.arange(width)
        moved = np.empty_like(batch)
        for row, (down, right) in enumerate(drawn[places]):
            from_rows = np.clip(rows - down, 0, height - 1)
            from_columns = np.clip(columns - right, 0, width - 1)
            moved[row] = batch[row][from_rows[:, np.newaxis], from_columns]
        return moved
