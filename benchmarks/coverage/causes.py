"""The causes for which a refusal is right; any other refusal is a fault of the converters."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """`pattern` is found in the refusal's text; `why` stands on the page."""

    name: str
    pattern: str
    why: str


CAUSES = (
    Cause(
        "open size",
        r"leaves its height or width open",
        "Height or width is None. A file with such an input stores 1x1 and cannot be run; the model is to be built "
        "with a fixed size.",
    ),
    Cause(
        "foreign code",
        r"Lambda layer, which is code|class of its author's",
        "The model file holds code (a Lambda layer) or needs a class that only its author has. Orilla runs no code out "
        "of a file that it was not told to trust.",
    ),
    Cause(
        "no operator",
        r"no operator for a part of this model|a plain TFLite interpreter does not have",
        "The format has no built-in operator for a part of the model. Peers write such a file with TensorFlow's own "
        "operators (Flex) or with names that no runtime knows; it does not run.",
    ),
    Cause(
        "no 16x8 form",
        r"16x8.*(not yet supported|no 16x8 form|have no)|no 16x8 form",
        "TFLite has no kernel with 16-bit activations for one of the operators.",
    ),
    Cause(
        "no layers",
        r"has no layer '",
        "`mixed` names Keras layers, and a SavedModel, through which subclassed models go, keeps none.",
    ),
    Cause(
        "nothing to shrink",
        r"no layer has the 1,024 weights|no weight is in 16 bits",
        "Every layer is so small that TFLite leaves its weights in float: the file would be the float32 one.",
    ),
    Cause(
        "stays in float",
        r"no int8 form and stayed in float",
        "Operators without an int8 form would stay in float between conversions to and from it. They are named; "
        "`mixed` takes them as they are.",
    ),
)


def cause_of(reason: str) -> str:
    """The name of the cause that a refusal's text states; empty where it states none of them."""
    return next((cause.name for cause in CAUSES if re.search(cause.pattern, reason)), "")
