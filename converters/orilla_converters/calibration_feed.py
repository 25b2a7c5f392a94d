"""The calibration samples as a model's core takes them, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from orilla_converters.normalization import Normalization
from orilla_converters.ports import IMAGE, InputPort, single
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.errors import ConversionError

EXTREMES = 2
"""The most samples that are added: one of black and one of white pictures."""
Samples = Mapping[str, TensorFile]
"""By input, all of the same length: sample i is the i-th tensor of each."""


def calibration_samples(parameters: Mapping[str, Any], inputs: Sequence[InputPort]) -> Samples:
    """What a job was given to calibrate on: `calibration` for a single input, `calibrations` by name for several."""
    if len(inputs) == 1:
        return {inputs[0].name: TensorFile.from_json(parameters["calibration"])}
    return {port.name: TensorFile.from_json(parameters["calibrations"][port.name]) for port in inputs}


def calibration_feeds(samples: Samples, inputs: Sequence[InputPort]) -> Iterator[dict[str, Any]]:
    """The samples as the core takes them, float32 by input, one at a time.

    A picture's range must be that of all 256 pixel values, or the raw byte would not be the quantized input. Where the
    pictures do not span it, a black and a white one are added, with what the first sample has for the other inputs.

    Raises:
        ConversionError: no samples.
    """
    if not len(samples[inputs[0].name]):
        raise ConversionError("There are no pictures to calibrate on.", "Give --data with pictures.")
    pictures = [port.name for port in inputs if port.normalization is not None]
    lowest, highest = dict.fromkeys(pictures, 255), dict.fromkeys(pictures, 0)
    first: dict[str, Any] = {}
    for row in zip(*(samples[port.name] for port in inputs), strict=True):
        sample = {port.name: tensor for port, tensor in zip(inputs, row, strict=True)}
        first = first or sample
        for name in pictures:
            lowest[name] = min(lowest[name], int(sample[name].min()))
            highest[name] = max(highest[name], int(sample[name].max()))
        yield _fed(sample, inputs)
    for missing, level in (
        ([name for name in pictures if lowest[name] > 0], 0),
        ([name for name in pictures if highest[name] < 255], 255),
    ):
        if missing:
            yield _fed(first | {name: np.full_like(first[name], level) for name in missing}, inputs)


def core_feeds(samples: Samples, inputs: Sequence[InputPort]) -> tuple[Iterator[Any], int]:
    """As `calibration_feeds`, each as a Keras core is called with it; and how many samples there are."""
    feeds = calibration_feeds(samples, inputs)
    return (single([feed[port.name] for port in inputs]) for feed in feeds), len(samples[inputs[0].name])


def calibration_tensors(sample: TensorFile, normalization: Normalization) -> Iterator[Any]:
    """As `calibration_feeds`, for a model of one picture."""
    port = InputPort(IMAGE, sample.shape[1:], normalization)
    for feed in calibration_feeds({IMAGE: sample}, (port,)):
        yield feed[IMAGE]


def _fed(sample: Mapping[str, Any], inputs: Sequence[InputPort]) -> dict[str, Any]:
    return {port.name: fed(sample[port.name][np.newaxis], port.normalization) for port in inputs}


def fed(tensor: Any, normalization: Normalization | None) -> Any:
    """A stored tensor as the core takes it, float32."""
    return tensor.astype(np.float32) if normalization is None else normalized(tensor, normalization)


def normalized(pixels: Any, normalization: Normalization) -> Any:
    """Raw pixels as the core takes them, float32."""
    return pixels.astype(np.float32) * np.float32(normalization.scale) + np.float32(normalization.offset)
