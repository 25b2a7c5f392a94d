"""A net goes on from a model that was trained before, also where it has classes that the model did not know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import ModelError

LAST = "logits"


def check_start(path: str | Path, labels: Sequence[str]) -> None:
    """Check that a model's classes are the first of `labels`.

    Raises:
        DataError: no such file, or no `.keras` file. ModelError: other classes, or none that it knows of.
    """
    card = read_card(path)
    if card is None:
        raise ModelError(f"{path} does not say what its classes are.", "Give a model that `orilla train` wrote.")
    if tuple(labels[: len(card.labels)]) != card.labels:
        raise ModelError(
            f"{path} has the classes {', '.join(card.labels[:5])}, and the pictures {', '.join(labels[:5])}.",
            "To go on from a model, the pictures' classes must begin with the model's, in their order.",
        )


def start_from(net: Any, path: str | Path) -> None:
    """Give `net` the weights of a model of the same architecture; classes that it did not know keep those they have.

    Raises:
        ModelError: Keras cannot open the model, or it is another net.
    """
    keras, _ = keras_and_tensorflow()
    try:
        old = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises anything for a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path}: Keras cannot open it: {reason[:200]}", "Take another copy of the model.") from error
    pairs = list(zip(net.layers, old.layers, strict=False))
    if len(net.layers) != len(old.layers) or not all(_fits(new, before) for new, before in pairs):
        raise ModelError(f"{path} is another net than {net.name}.", "Give the model that is to be trained on.")
    for new, before in pairs:
        if new.name == LAST:
            _widen(new, before)
        else:
            new.set_weights(before.get_weights())


def _fits(new: Any, old: Any) -> bool:
    if new.name == old.name == LAST:
        return bool(new.kernel.shape[0] == old.kernel.shape[0] and new.kernel.shape[1] >= old.kernel.shape[1])
    shapes = [[tuple(weight.shape) for weight in layer.weights] for layer in (new, old)]
    return shapes[0] == shapes[1]


def _widen(new: Any, old: Any) -> None:
    (kernel, bias), (known, known_bias) = new.get_weights(), old.get_weights()
    kernel[:, : known.shape[1]], bias[: len(known_bias)] = known, known_bias
    bias[len(known_bias) :] = known_bias.mean()  # as likely as the others to begin with
    new.set_weights([kernel, bias])
