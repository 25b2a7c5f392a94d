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
        self._strategy = tf.distribute.MirroredStrategy(self.names) if len(self.names) > 1 else None

    def __len__(self) -> int:
        return len(self.names)

    def scope(self) -> AbstractContextManager[Any]:
        """What is built, compiled and restored inside exists on every device."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def check(self, plan: Plan, progress: Progress) -> None:
        """What the plan can and should not do on these devices.

        Raises:
            UsageError: fewer pictures in a batch than devices.
        """
        recipe = plan.recipe
        if len(self) > 1:
            if recipe.batch_size < len(self):
                raise UsageError(
                    f"batch_size={recipe.batch_size} is not possible on {len(self)} devices, which share each batch.",
                    f"Take {len(self)} or more, or show TensorFlow fewer devices (CUDA_VISIBLE_DEVICES=0).",
                )
            progress(Note(f"Each batch of {recipe.batch_size} is shared by {len(self)} devices."))
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
