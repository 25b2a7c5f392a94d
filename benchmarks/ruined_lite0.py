"""EfficientNet-Lite0 as int8 cannot stand it: its function on the photos stays, the sizes of its channels do not.

`depthwise`: channels of its depthwise layers times powers of ten, divided again in the layer behind. A ReLU6 stands
between: only channels that it never clips, before and after, on any of the photos, are scaled.
`trunk`: one channel of a residual trunk times a thousand. Additions read it, so that equalization cannot undo it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.keras_card import read_card, write_card

RUINS = ("depthwise", "trunk")
BLOCKS = range(16)
POWERS = range(-3, 4)
CLIP = 5.9
TRUNK = (5, 6, 7)
"""The blocks whose outputs are added to one another, 80 channels."""
CHANNEL, OUTLIER = 7, 1000.0
UNCHANGED = 1e-3
"""The most that a probability may move: float32 rounds the scaled weights otherwise."""


def ruin_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Job: write the net of `parameters["model"]`, ruined by `parameters["ruin"]`, to `parameters["path"]`.

    The value: `channels` that were scaled, of how many; `change`, the most that a probability of a photo moved, in
    words.
    """
    import keras

    path = Path(parameters["model"])
    model, photos = keras.saving.load_model(path), np.load(parameters["photos"]).astype(np.float32)
    card = read_card(path)
    assert card is not None
    before = model.predict(photos, batch_size=20, verbose=0)
    ruin = {"depthwise": _ruin_depthwise, "trunk": _ruin_trunk}[parameters["ruin"]]
    channels = ruin(keras, model, photos)
    change = float(np.abs(model.predict(photos, batch_size=20, verbose=0) - before).max())
    assert change < UNCHANGED, f"the function changed by {change}"
    model.save(parameters["path"])
    write_card(parameters["path"], card)
    return {"channels": channels, "change": f"{change:.1g}"}


def _ruin_depthwise(keras: Any, model: Any, photos: NDArray[np.float32]) -> str:
    random, scaled, count = np.random.default_rng(0), 0, 0
    norms = [model.get_layer(f"block{block}_depthwise_bn").output for block in BLOCKS]
    probe = keras.Model(model.inputs, [keras.ops.max(norm, axis=(0, 1, 2)) for norm in norms])
    batches = [probe.predict_on_batch(photos[start : start + 20]) for start in range(0, len(photos), 20)]
    for block, *found in zip(BLOCKS, *batches, strict=True):
        most = np.max(found, axis=0)
        scale = np.array([_power(random, value) for value in most])
        _scale_given(model, f"block{block}_depthwise", scale)
        _scale_taken(model, f"block{block}_project", scale)
        scaled, count = scaled + int((scale != 1).sum()), count + len(scale)
    return f"{scaled} of {count}"


def _power(random: np.random.Generator, most: float) -> float:
    """A power of ten that leaves a channel, whose largest value is `most`, unclipped; 1 where it is clipped anyway."""
    allowed = [10.0**power for power in POWERS if most * 10.0**power < CLIP]
    return float(random.choice(allowed)) if most < CLIP else 1.0


def _ruin_trunk(_keras: Any, model: Any, _photos: NDArray[np.float32]) -> str:
    scale = np.ones(model.get_layer(f"block{TRUNK[0]}_project_bn").gamma.shape[0])
    scale[CHANNEL] = OUTLIER
    for block in TRUNK:
        _scale_given(model, f"block{block}_project", scale)
        _scale_taken(model, f"block{block + 1}_expand", scale)
    return f"1 of {len(scale)}"


def _scale_given(model: Any, name: str, scale: NDArray[np.float64]) -> None:
    norm = model.get_layer(f"{name}_bn")
    norm.gamma.assign(norm.gamma.numpy() * scale)
    norm.beta.assign(norm.beta.numpy() * scale)


def _scale_taken(model: Any, name: str, scale: NDArray[np.float64]) -> None:
    kernel = model.get_layer(f"{name}_conv").kernel
    kernel.assign(kernel.numpy() / scale.reshape(1, 1, -1, 1))
