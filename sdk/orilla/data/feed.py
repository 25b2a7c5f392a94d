"""Batches for training: what a step gets is a function of the seed and of the step's number, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow

Places = NDArray[np.int64]
_ORDER = 1
_WORKERS, _WAITING = 2, 2
_NO_END = 2**62


class Examples(Protocol):
    """What can be trained on: arrays by their place in the data set."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        ...

    def take(self, places: Places) -> NDArray[Any]:
        """The examples at `places`, in that order; called from several threads."""
        ...


class Change(Protocol):
    """Changes examples of training (augmentation), as a function of seed, epoch and place."""

    def __call__(self, batch: NDArray[Any], places: Places, epoch: int) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """The examples at `places` with their class ids (one for each place of the whole set).

    multiple: the pictures of every batch of training can be dealt out evenly to so many devices; fewer than that are
        left out at the end of each epoch, each time others.
    weights: of each class, float32, where the classes do not count alike in training.
    failures: what went wrong while a batch was made, for who trains: TensorFlow keeps only its text.
    """

    examples: Examples
    class_ids: Places
    places: Places
    batch_size: int
    multiple: int = 1
    weights: NDArray[np.float32] | None = None
    failures: list[Exception] = field(default_factory=list, compare=False)

    @property
    def steps(self) -> int:
        """Batches in an epoch of training."""
        return -(-self._dealt // self.batch_size)

    @property
    def _dealt(self) -> int:
        return len(self.places) // self.multiple * self.multiple

    def training(self, seed: int, change: Change | None = None, first_epoch: int = 0, first_step: int = 0) -> Any:
        """A `tf.data.Dataset` of epoch after epoch without end, each in its own order, from any step on."""

        def made(number: int) -> tuple[NDArray[Any], ...]:
            epoch, step = divmod(number, self.steps)
            chosen = self._chosen(epoch_order(self.places, seed, epoch)[: self._dealt], step)
            batch, truth = self.examples.take(chosen), self.class_ids[chosen]
            changed = change(batch, chosen, epoch) if change else batch
            return (changed, truth) if self.weights is None else (changed, truth, self.weights[truth])

        first = first_epoch * self.steps + first_step
        return self._dataset(made, first, _NO_END, weighted=self.weights is not None)

    def in_order(self) -> Any:
        """A `tf.data.Dataset` of one pass, unchanged, in the order of `places`."""

        def made(number: int) -> tuple[NDArray[Any], ...]:
            chosen = self._chosen(self.places, number)
            return self.examples.take(chosen), self.class_ids[chosen]

        return self._dataset(made, 0, -(-len(self.places) // self.batch_size), weighted=False)

    def _chosen(self, places: Places, step: int) -> Places:
        return places[step * self.batch_size : (step + 1) * self.batch_size]

    def _dataset(self, made: Callable[[int], tuple[NDArray[Any], ...]], first: int, end: int, *, weighted: bool) -> Any:
        _, tf = keras_and_tensorflow()
        kinds = [tf.as_dtype(self.examples.take(self.places[:1]).dtype), tf.int64]
        kinds += [tf.float32] if weighted else []

        def checked(number: Any) -> tuple[NDArray[Any], ...]:
            try:
                return made(int(number))
            except Exception as error:
                self.failures.append(error)
                raise

        def batch(number: Any) -> tuple[Any, ...]:
            pixels, *others = tf.numpy_function(checked, [number], kinds, stateful=False)
            pixels.set_shape((None, *self.examples.shape))
            for other in others:
                other.set_shape((None,))
            # Pixels travel as bytes and become numbers at the last moment: a float picture is four times as large.
            return (tf.cast(pixels, tf.float32), *others)

        numbers = tf.data.Dataset.range(first, end)
        return numbers.map(batch, num_parallel_calls=_WORKERS, deterministic=True).prefetch(_WAITING)


def epoch_order(places: Places, seed: int, epoch: int) -> Places:
    """`places` shuffled for one epoch."""
    return places[_permutation(len(places), seed, epoch)]


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> Places:
    return np.random.default_rng((_ORDER, seed, epoch)).permutation(count)
