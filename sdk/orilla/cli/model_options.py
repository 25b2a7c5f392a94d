"""The options that say how a model is opened; shared by `run`, `evaluate` and `benchmark`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orilla_runtime.errors import UsageError
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla_runtime.model import Model

F = TypeVar("F", bound=Callable[..., Any])


def numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """The value of an option that takes numbers with commas between them."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not one number, or three with commas.", context, parameter) from None


_OPTIONS = (
    click.option(
        "--engine",
        default="auto",
        show_default=True,
        help="litert, onnxruntime, openvino; auto: the one that was measured to be fastest here, else the first.",
    ),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, …; one that is named must be there."),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Default: as measured here, else every CPU that this process may use.",
    ),
    click.option("--labels", type=click.Path(), help="Bare models: a text file, one class name a line."),
    click.option("--mean", callback=numbers, help="Bare models: (pixel - mean) / std, one number or three: 127.5"),
    click.option("--std", callback=numbers, help="Bare models: see --mean."),
    click.option("--channels", type=click.Choice(["rgb", "bgr", "grey"]), help="Bare models: colour order."),
    click.option("--label-offset", type=click.IntRange(min=0), help="Bare models: leading outputs without a label."),
    click.option("--output", type=click.Choice(["probabilities", "logits"]), help="Bare models: what the scores are."),
    click.option("--fit", type=click.Choice(["stretch", "crop", "letterbox"]), help="Bare models: how a picture fits."),
    click.option("--crop-fraction", type=float, help="Bare models: share of the centre that --fit crop takes."),
)


def model_options(function: F) -> F:
    """Add the options to a command; they arrive as keyword arguments that `orilla_runtime.model.load` takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def require_picture(model: Model) -> None:
    """See that the model takes one picture, as files and cameras give them. Raises UsageError."""
    if model.preprocess is None:
        taken = ", ".join(str(spec) for spec in model.session.inputs)
        raise UsageError(
            f"{model.path} does not take one picture, but {printable(taken)}.",
            "Give it its tensors in Python: orilla.load(PATH)(NAME=array, …).",
        )
