"""Opens a bare `.tflite` or `.onnx` file: which engine, and what it says of its pictures and classes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.errors import ModelError
from orilla_runtime.formats.files import read_bytes
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.loading import Opened
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import replace
from orilla_runtime.tasks.classification import ClassificationTask
from orilla_runtime.tasks.fitting import FitOptions, fit_classification
from orilla_runtime.text import printable
from orilla_runtime.tuning.choosing import choose
from orilla_runtime.tuning.speeds import Runnable

if TYPE_CHECKING:
    from orilla_runtime.tasks.raw import RawTask


def open_bare(
    path: Path, engine: str, options: EngineOptions, measure: str, said: FitOptions | None, *, top: int
) -> Opened:
    """Open a bare model; `said` None is the raw task. Raises as `load`."""
    data = read_bytes(path)
    # No hash promises anything of these bytes: their structure is checked before an engine sees them.
    file = read_model(data, path.name)
    chosen = choose([runnable(path.name, file.format, data)], engine, options, measure)
    try:
        task, preprocess = _fit(file, chosen.session, said, path.name, top)
    except ModelError as error:
        chosen.session.close()
        raise ModelError(printable(error.message), printable(error.remedy)) from error
    except BaseException:
        chosen.session.close()
        raise
    return Opened(
        path=path,
        artifact=path.name,
        format=file.format,
        precision=None,
        engine=chosen.engine.name,
        session=chosen.session,
        task=task,
        preprocess=preprocess,
        bundle=None,
        # The bytes are kept, since the file may be another one by then; LiteRT holds them anyway.
        again=lambda threads: chosen.engine.load(data, replace(options, threads=threads)),
        threads=options.threads,
        session_threads=chosen.threads,
        why=chosen.why,
    )


def runnable(name: str, format: str, data: bytes) -> Runnable:  # noqa: A002
    """A file as what can be measured and opened."""
    return Runnable(
        name=name, shown=name, format=format, size=len(data), read=lambda: data, sha256=partial(_sha256, data)
    )


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _fit(
    file: ModelFile, session: Session, said: FitOptions | None, name: str, top: int
) -> tuple[ClassificationTask | RawTask, Preprocess | None]:
    if said is None:
        from orilla_runtime.tasks.raw import RawTask

        return RawTask(), None
    # The engine may know more of the shapes than the file says.
    known = replace(file, inputs=session.inputs, outputs=session.outputs)
    fitted = fit_classification(known, said, name, top)
    return fitted.task, fitted.preprocess
