"""A Keras model and its card become one `.keras` file, there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from orilla_converters.keras_card import KerasCard, write_card
from orilla_runtime.errors import SinkError
from orilla_runtime.files import replaced


def save_model(model: Any, path: Path, card: KerasCard) -> None:
    """Write `model` with `card` to `path`.

    Raises:
        SinkError: the file, or the scratch file that it is made as, cannot be written; an older one is untouched.
    """
    # Made among scratch files, as the card is put in by writing the file anew: beside the target it needs room once.
    with replaced(path) as part, tempfile.TemporaryDirectory(prefix="orilla-") as folder:
        made = Path(folder) / "model.keras"
        try:
            model.save(made)
            write_card(made, card)
        except OSError as error:
            raise SinkError(
                f"{made}: {error.strerror or error}.", "Free space there, or set TMPDIR to another place."
            ) from error
        shutil.copyfile(made, part)
