"""A folder of plain files as one entry of a bundle: a tar file that says nothing but names and bytes.

TensorFlow's SavedModel is such a folder. The same files give the same bytes: no times, owners or rights are kept.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from orilla_runtime.errors import ModelError

MOST_FILES = 1000


def packed(files: Mapping[str, bytes]) -> bytes:
    """The files, by relative POSIX paths, as a tar file in the order of their paths.

    Raises:
        ModelError: a path that leads out of the folder.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            _require_inside(path, "the folder")
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return stream.getvalue()


def unpacked(data: bytes, where: str) -> dict[str, bytes]:
    """The files that `packed` put together, by their paths; `where` names the entry in errors.

    Raises:
        ModelError: no tar file, a damaged one, or one that holds links, devices, a path out of the folder or one twice.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None or entry.name in files or len(files) >= MOST_FILES:
                    raise _damaged(where, f"{entry.name!r} is no plain file, or there twice")
                _require_inside(entry.name, where)
                files[entry.name] = content.read()
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise _damaged(where, str(error)) from error
    if not files:
        raise _damaged(where, "it is empty")
    return files


def _require_inside(path: str, where: str) -> None:
    parts = path.split("/")
    if "\\" in path or ":" in path or any(part in {"", ".", ".."} for part in parts):
        raise _damaged(where, f"{path!r} leads out of it")


def _damaged(where: str, what: str) -> ModelError:
    return ModelError(f"{where} is no packed folder: {what}.", "Convert the model again.")
