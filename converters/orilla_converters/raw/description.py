"""What the parent process needs to know of a model of any inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orilla_converters.normalization import IDENTITY, outside
from orilla_converters.ports import InputPort, Ports
from orilla_runtime.errors import UsageError
from orilla_runtime.preprocess import Channels, Preprocess


@dataclass(frozen=True, slots=True)
class RawDescription:
    """`ports`: as the workers have them."""

    ports: Ports

    def preprocess(self, options: Mapping[str, Any]) -> dict[str, Preprocess]:
        """How a picture becomes each input that is one: uint8 NHWC, nothing scaled.

        options: `channels`, `fit`, `crop_fraction`, as the user gave them.

        Raises:
            UsageError: options that no input can have.
        """
        if options and not self.ports.pictures:
            given = ", ".join("--" + name.replace("_", "-") for name in options)
            raise UsageError("The model takes no picture.", f"Leave out {given}.")
        return {port.name: _made(port, dict(options)) for port in self.ports.pictures}

    def fed(self, preprocess: Mapping[str, Preprocess], io: str) -> dict[str, Preprocess]:
        """As `preprocess`, for artifacts with this `io`: bytes, or normalized floats."""
        if io != "float":
            return dict(preprocess)
        fronts = {port.name: outside(io, port.normalization or IDENTITY) for port in self.ports.pictures}
        return {
            name: replace(made, dtype="float32", scale=(fronts[name].scale,), offset=(fronts[name].offset,))
            for name, made in preprocess.items()
        }


def _made(port: InputPort, options: dict[str, Any]) -> Preprocess:
    height, width, depth = port.shape
    said: Channels = options.pop("channels", "grey" if depth == 1 else "rgb")
    if (said == "grey") != (depth == 1):
        raise UsageError(f"The input {port.name!r} has {depth} channel(s).", f"--channels {said} does not fit.")
    return Preprocess(size=(height, width), channels=said, **options)
