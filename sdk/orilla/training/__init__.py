"""Training: from labelled pictures to a Keras model."""

from orilla.training.fit import train
from orilla.training.result import TrainResult

__all__ = ["TrainResult", "train"]
