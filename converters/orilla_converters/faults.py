"""Known faults of a conversion: what would Keras say with the fault in it? The one that explains the outputs is named.

A file that disagrees with Keras on the true pictures and agrees on pictures whose channels are swapped has its channels
swapped, whatever else might be said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.metrics import Scores, sqnr
from orilla_converters.reference import probabilities
from orilla_converters.source import KerasSource
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for

BETTER_DB = 10.0
"""An explanation must come this much closer to the artifact than the model as it is."""
CLOSE_DB = 15.0
AGREES = 0.9
COARSE, FINE = 16, 4
"""Steps in grey levels, in which a wrong mean is searched."""
PICTURES = 16
"""Of those given, for the faults that Keras must be asked about one by one."""
NORMALIZATIONS = {
    "pixels of 0..1": (1 / 255, 0.0),
    "pixels of -1..1": (1 / 127.5, -1.0),
    "raw pixels of 0..255": (1.0, 0.0),
}


def name_fault(source: KerasSource, format_: str, data: bytes, pictures: NDArray[np.uint8]) -> str:
    """The known fault that explains what the artifact gives on uint8 `pictures` [n, h, w, depth]; else empty."""
    found = _scores(format_, data, pictures)
    if found is None or not np.isfinite(found).all():
        return ""
    pixels = pictures.astype(np.float32)
    call = _caller(source)
    plain = call(pixels)
    before = _db(plain, found)
    if before >= CLOSE_DB:
        return ""
    order = _label_order(plain, found)
    if order:
        return order
    pixels, found = pixels[:PICTURES], found[:PICTURES]
    before = _db(plain[:PICTURES], found)
    best, words = before, ""
    for name, scores in _suspects(source, call, pixels, found):
        closeness = _db(scores(), found)
        if closeness > best:
            best, words = closeness, name
    agrees = best >= max(CLOSE_DB, before + BETTER_DB)
    return words if agrees else ""


def _suspects(
    source: KerasSource, call: Callable[[Any], Scores], pixels: NDArray[np.float32], found: Scores
) -> Iterator[tuple[str, Callable[[], Scores]]]:
    if pixels.shape[-1] == 3:
        yield "its colour channels are swapped (RGB for BGR)", lambda: call(pixels[..., ::-1])
    shift = _best_shift(call, pixels, found)
    words = f"its mean is wrong: it sees every pixel about {abs(shift)} {'brighter' if shift > 0 else 'darker'}"
    yield words, lambda: call(pixels + np.float32(shift))
    inside = source.normalization
    for name, (scale, offset) in NORMALIZATIONS.items():
        # What the core would get; expressed in the raw pixels that the whole model takes.
        seen = (pixels * scale + offset - inside.offset) / inside.scale
        yield f"its normalization is wrong: its core gets {name}", lambda seen=seen: call(seen)  # type: ignore[misc]
    yield "its batch normalization works in training mode", lambda: _training(source, pixels)


def _best_shift(call: Callable[[Any], Scores], pixels: NDArray[np.float32], found: Scores) -> int:
    """By how many grey levels the pictures must be brighter to come closest to what was found."""
    best = 0
    for step, reach in ((COARSE, 8), (FINE, 3)):
        around = [best + step * number for number in range(-reach, reach + 1)]
        best = max(around, key=lambda shift: _db(call(pixels + np.float32(shift)), found))
    return best


def _caller(source: KerasSource) -> Callable[[Any], Scores]:
    import tensorflow as tf

    model = tf.function(lambda pixels: source.model(pixels, training=False), reduce_retracing=True)

    def call(pixels: Any) -> Scores:
        found = np.asarray(model(tf.constant(np.ascontiguousarray(pixels))), np.float32)
        return _as_probabilities(source, found)

    return call


def _training(source: KerasSource, pixels: NDArray[np.float32]) -> Scores:
    """Every picture alone, normalized by its own mean and variance; dropout and augmentation let everything through."""
    import keras

    # Training mode moves the averages of every normalization: the model is put back as it was.
    weights = source.model.get_weights()
    drops = [layer for layer in source.model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    rates = [layer.rate for layer in drops]
    try:
        for layer in drops:
            layer.rate = 0.0
        rows = [np.asarray(source.model(picture[np.newaxis], training=True), np.float32) for picture in pixels]
    finally:
        source.model.set_weights(weights)
        for layer, rate in zip(drops, rates, strict=True):
            layer.rate = rate
    return _as_probabilities(source, np.concatenate(rows))


def _as_probabilities(source: KerasSource, scores: Any) -> Scores:
    found: Scores = probabilities(scores) if source.head == "logits" else scores
    return found


def _label_order(plain: Scores, found: Scores) -> str:
    """A permutation of the classes that makes the outputs agree, in words."""
    theirs, ours = (np.log(np.maximum(scores, 1e-30)) for scores in (plain, found))
    theirs, ours = (logits - logits.mean(axis=1, keepdims=True) for logits in (theirs, ours))
    distance = ((theirs[:, :, np.newaxis] - ours[:, np.newaxis, :]) ** 2).sum(axis=0)
    order = distance.argmin(axis=1)
    classes = len(order)
    if sorted(order) != list(range(classes)) or (order == np.arange(classes)).all():
        return ""
    moved = found[:, order]
    same = float((moved.argmax(axis=1) == plain.argmax(axis=1)).mean())
    if same < AGREES or _db(plain, moved) < CLOSE_DB:
        return ""
    first = int(np.flatnonzero(order != np.arange(classes))[0])
    return f"its labels are in another order: class {first} stands at place {int(order[first])}"


def _scores(format_: str, data: bytes, pictures: NDArray[np.uint8]) -> Scores | None:
    session = engine_for(format_).load(data, EngineOptions())
    try:
        spec = session.inputs[0]
        if spec.dtype != "uint8":
            return None
        rows = [session.outputs[0].real(session.run(picture[np.newaxis].copy())[0]).copy() for picture in pictures]
        return np.concatenate(rows)
    finally:
        session.close()


def _db(one: Scores, other: Scores) -> float:
    found = sqnr(one, other)
    return 200.0 if found is None else found
