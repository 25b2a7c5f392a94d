"""Predictor: a model as a function on batches, which can be pickled, for data too large for one machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.model import Model, load
from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.picture import decode_picture, read_picture
from orilla_runtime.tasks.classification import Classification

Colours = Literal["bgr", "rgb"]
COLUMNS = ("bytes", "path", "image")
"""Where a batch holds its pictures; the first that is there is taken."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row's outcome; a picture that cannot be read has no label, class -1, a score of NaN and an `error`."""

    label: str = ""
    class_id: int = -1
    score: float = float("nan")
    error: str = ""


class Predictor:
    """Calls a model on batches of columns; made for `map_batches` of Ray Data, and free of it.

    A batch maps names to columns of equal length: `path` (file names), `bytes` (the content of picture files) or
    `image` (uint8 arrays, height x width x 3, or grey). What comes back is the batch without the pictures' pixels and
    bytes, and with `label` (str), `class_id` (int64), `score` (float32) and `error` (str, empty where all went well).
    A row that is no picture is a row with an error, never the end of the job.

    The model is loaded at the first call of each process, so that the object itself is small, can be pickled, and can
    be made where no engine is installed. One thread by default: such jobs have a process for each CPU.

    Args:
        model: path of a bundle or a model; every machine must see it under this path.
        column: the column with the pictures; by default `bytes`, `path` or `image`, whichever is there.
        colours: order of `image`'s channels: `bgr` as OpenCV reads them, `rgb` as Ray's `read_images` does.
        expected_id: the bundle's id: with it, no machine runs another bundle that lies under the same path.
        threads, options: as `load` takes them.

    Raises:
        UsageError: an unknown order of colours; when called: no such column, or columns of unequal length.
        OrillaError: when called: the model cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        column: str | None = None,
        colours: Colours = "bgr",
        expected_id: str | None = None,
        threads: int = 1,
        **options: Any,
    ) -> None:
        if colours not in get_args(Colours):
            raise UsageError(f"colours={colours!r} is not known.", f"Use {' or '.join(get_args(Colours))}.")
        self._path = str(model)
        self._column = column
        self._colours = colours
        self._options = {**options, "threads": threads, "expected_id": expected_id}
        self._model: Model | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with its predictions."""
        name = self._source(batch)
        rows = [self._row(value, self._called(batch, place)) for place, value in enumerate(batch[name])]
        kept = {key: column for key, column in batch.items() if key not in {name, "image", "bytes"} or key == "path"}
        return {
            **kept,
            "label": np.array([row.label for row in rows], dtype=np.str_),
            "class_id": np.array([row.class_id for row in rows], dtype=np.int64),
            "score": np.array([row.score for row in rows], dtype=np.float32),
            "error": np.array([row.error for row in rows], dtype=np.str_),
        }

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model, which every process opens for itself."""
        return {**self.__dict__, "_model": None}

    def close(self) -> None:
        """Release the model; the next call loads it again."""
        model, self._model = self._model, None
        if model is not None:
            model.close()

    def _source(self, batch: Mapping[str, Any]) -> str:
        wanted = (self._column,) if self._column else COLUMNS
        name = next((name for name in wanted if name in batch), None)
        if name is None:
            raise UsageError(
                f"A batch has the columns {', '.join(batch) or '(none)'}, and no {' or '.join(map(str, wanted))}.",
                "Name the column with the pictures: Predictor(…, column=NAME).",
            )
        lengths = {len(column) for column in batch.values()}
        if len(lengths) > 1:
            raise UsageError(f"The columns of a batch have different lengths: {sorted(lengths)}.")
        return name

    def _called(self, batch: Mapping[str, Any], place: int) -> str:
        """What an error calls the picture."""
        return str(batch["path"][place]) if "path" in batch else f"row {place}"

    def _row(self, value: Any, called: str) -> Prediction:
        try:
            result = self._loaded()(self._image(value, called))
        except SourceError as error:
            return Prediction(error=error.message)
        if not isinstance(result, Classification):
            raise UsageError(f"{self._path} is no classifier.", "A Predictor gives labels.")
        return Prediction(result.top.label, result.top.class_id, result.top.score)

    def _image(self, value: Any, called: str) -> Image:
        if isinstance(value, str | Path):
            return read_picture(str(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return decode_picture(bytes(value), called)
        pixels: NDArray[Any] = np.asarray(value)
        if pixels.ndim == 3 and pixels.shape[2] >= 3 and self._colours == "rgb":
            pixels = np.ascontiguousarray(pixels[:, :, 2::-1])
        return pixels

    def _loaded(self) -> Model:
        if self._model is None:
            self._model = load(self._path, **{**self._options, "top": 1})
        return self._model
