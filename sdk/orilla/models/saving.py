"""A Keras model and its card become one `.keras` file, there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from orilla_converters.keras_card import KerasCard, write_card
from orilla_runtime.files import replaced


def save_model(model: Any, path: Path, card: KerasCard) -> None:
    """Write `model` with `card` to `path`.

    Raises:
        SinkError: the file cannot be written; an older one is untouched.
    """
    # Keras insists on the suffix, which the part file beside the target must not have, or two savings would collide.
    with replaced(path) as part, tempfile.TemporaryDirectory(prefix="orilla-") as folder:
        made = Path(folder) / "model.keras"
        model.save(made)
        write_card(made, card)
        shutil.copyfile(made, part)
