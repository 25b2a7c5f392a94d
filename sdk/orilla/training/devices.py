"""What a training computes with: several devices at once, and numbers of fewer bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.recipe import Precision
from orilla.training.plan import Plan
from orilla.training.progress import Note, Progress
from orilla_runtime.errors import UsageError


class Devices:
    """The devices of one training: every GPU that TensorFlow sees; where there is none, its CPUs, which is mostly one.

    `CUDA_VISIBLE_DEVICES` takes GPUs out of sight.
    """

    def __init__(self) -> None:
        _, tf = keras_and_tensorflow()
        config = tf.config
        self.gpus = len(config.list_logical_devices("GPU"))
        self.names = [each.name for each in config.list_logical_devices("GPU") or config.list_logical_devices("CPU")]
        self._strategy = None
        if len(self.names) > 1:
            # CPUs have no collectives that survive a training which ended early in the same process.
            sums = None if self.gpus else tf.distribute.ReductionToOneDevice()
            self._strategy = tf.distribute.MirroredStrategy(self.names, cross_device_ops=sums)

    def __len__(self) -> int:
        return len(self.names)

    def scope(self) -> AbstractContextManager[Any]:
        """What is built, compiled and restored inside exists on every device."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def check(self, plan: Plan, pictures: int, progress: Progress) -> None:
        """What the plan can and should not do on these devices; `pictures` are trained on.

        Raises:
            UsageError: a batch, or a set, that the devices cannot share.
        """
        recipe, devices = plan.recipe, len(self)
        if devices > 1:
            if recipe.batch_size % devices or pictures < devices:
                raise UsageError(
                    f"{devices} devices cannot share {pictures} pictures in batches of {recipe.batch_size} evenly.",
                    f"Take a --batch-size that {devices} divides, or show TensorFlow one (CUDA_VISIBLE_DEVICES=0).",
                )
            progress(Note(f"Each batch of {recipe.batch_size} is shared by {devices} devices."))
        if recipe.precision != "float32" and not self.gpus:
            progress(Note(f"{recipe.precision} is for GPUs: on a CPU it takes 2 to 6 times as long as float32."))


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers made inside compute so; their weights stay float32."""
    keras, _ = keras_and_tensorflow()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
