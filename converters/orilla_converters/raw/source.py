"""A model of any inputs and outputs in its parts: ports, core, and what it computes as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orilla_converters.normalization import IDENTITY, Normalization
from orilla_converters.ports import InputPort, OutputPort, Ports, single
from orilla_runtime.errors import ConversionError, UsageError

_DEPTHS = (1, 3)
"""Channels of a picture."""


@dataclass(frozen=True, slots=True)
class RawSource:
    """Both Keras models take and give flat lists, or the one tensor, in the ports' order.

    `model` takes raw pixels and other tensors, all float32, and gives its own outputs. `core` takes what the ports'
    normalizations make of pixels, and gives what their softmaxes take.
    """

    model: Any
    core: Any
    ports: Ports


@dataclass(frozen=True, slots=True)
class Opened:
    """A model of layers or of operators, before its normalizations are settled.

    whole: as `RawSource.model`, but for what the user says of its pixels. cut: the core, without the softmaxes; for an
    input where it is given True, the core begins behind the front; it raises ValueError where that is impossible.
    fronts: the scale and offset that the model itself begins with, for each input; None where there is none. rescales:
    whether these are plainly its normalization, a layer of that name, and no arithmetic on what came normalized.
    """

    whole: Any
    cut: Callable[[Sequence[bool]], Any]
    inputs: tuple[InputPort, ...]
    fronts: tuple[Normalization | None, ...]
    outputs: tuple[OutputPort, ...]
    rescales: bool


def assembled(opened: Opened, parameters: Mapping[str, Any], path: Path) -> RawSource:
    """Settle who normalizes each picture: its port, where a quantized input can say it, else the core itself.

    Raises:
        UsageError: nobody says what the model expects of a picture's pixels.
    """
    said = _said(opened, parameters, path)
    wanted = [
        front is not None and front.folds and outside == IDENTITY
        for front, outside in zip(opened.fronts, said, strict=True)
    ]
    try:
        core = opened.cut(wanted)
    except ValueError:
        # Something else in the model reads a raw input too.
        wanted = [False] * len(wanted)
        core = opened.cut(wanted)
    settled = [_settled(*each) for each in zip(opened.fronts, said, wanted, strict=True)]
    core = _behind(core, opened.inputs, [inside for _, inside in settled])
    model = _behind(opened.whole, opened.inputs, [None if one == IDENTITY else one for one in said])
    inputs = [replace(port, normalization=ports) for port, (ports, _) in zip(opened.inputs, settled, strict=True)]
    return RawSource(model, core, Ports(tuple(inputs), opened.outputs))


def _settled(
    front: Normalization | None, said: Normalization | None, cut: bool
) -> tuple[Normalization | None, Normalization | None]:
    """What the port says, and what the core has to do inside."""
    if said is None:
        return None, None
    if cut:
        return front, None
    return (said, None) if said.folds else (IDENTITY, said)


def _said(opened: Opened, parameters: Mapping[str, Any], path: Path) -> list[Normalization | None]:
    """What is to be done to the pixels of each picture before the model takes them; None: no picture."""
    given = parameters.get("normalization")
    pictures = [is_picture(port.shape) for port in opened.inputs]
    silent = [
        seen and not (opened.rescales and front is not None)
        for seen, front in zip(pictures, opened.fronts, strict=True)
    ]
    if given is not None and not any(silent) and Normalization(*given) != IDENTITY:
        what = "rescales every picture itself" if any(pictures) else "takes no picture"
        raise UsageError(f"{path} {what}.", "Leave out --scale and --offset.")
    if any(silent) and given is None and not parameters.get("raw"):
        name = opened.inputs[silent.index(True)].name
        raise UsageError(
            f"{path}: nothing in this model says how its input {name!r} wants its pixels.",
            "Give --scale and --offset (the model takes pixel * scale + offset; raw 0..255 is --scale 1 --offset 0).",
        )
    outside = IDENTITY if given is None else Normalization(*given)
    return [None if not seen else outside if alone else IDENTITY for seen, alone in zip(pictures, silent, strict=True)]


def _behind(model: Any, inputs: Sequence[InputPort], inside: Sequence[Normalization | None]) -> Any:
    """The model with these normalizations in front of it."""
    import keras

    if not any(inside):
        return model
    taken = [keras.Input(port.shape, name=port.name) for port in inputs]
    scaled = [
        one if what is None else keras.layers.Rescaling(what.scale, what.offset)(one)
        for one, what in zip(taken, inside, strict=True)
    ]
    return keras.Model(single(taken), model(single(scaled)))


def is_picture(shape: Sequence[int]) -> bool:
    """Whether an input of this shape, without the batch, is taken for a picture."""
    return len(shape) == 3 and shape[2] in _DEPTHS


def closed_shape(shape: Sequence[int | None], name: str, path: Path) -> tuple[int, ...]:
    """The sides behind the batch.

    Raises:
        ConversionError: one of them is open, or there is no batch.
    """
    if not len(shape):
        raise ConversionError(f"{path}: {name!r} has no batch.", "Let its first side be the samples.")
    sides = tuple(side for side in shape[1:] if side is not None)
    if len(sides) < len(shape) - 1:
        open_ = "leaves its height or width open" if len(shape) == 4 else "leaves a side open"
        raise ConversionError(
            f"{path}: {name!r} {open_}: {list(shape)}.",
            "Build the model with fixed sizes, for example keras.Input((224, 224, 3)).",
        )
    return sides


def require_float(dtype: str, name: str, shape: Sequence[int], path: Path) -> None:
    """Refuse inputs that are neither pixels nor real numbers."""
    if dtype != "float32" and not (dtype == "uint8" and is_picture(shape)):
        raise ConversionError(
            f"{path}: its input {name!r} takes {dtype}.", "Orilla converts models that take float32, or uint8 pixels."
        )
