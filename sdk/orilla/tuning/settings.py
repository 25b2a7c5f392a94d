"""What a study was begun with: a second worker, or the same one later, must search the same thing."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from orilla_runtime.errors import SinkError, UsageError

FILE = "settings.json"
FORMAT = 1
_PACKAGES = ("orilla", "tensorflow", "keras")
_WHAT = {
    "data_digest": "the pictures",
    "space": "what is searched",
    "seed": "--seed",
    "split": "the split",
    "storage": "--storage",
    "versions": "the installed versions",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What all workers of a study share; how many trials and workers there are is no part of it.

    data_digest: of the pictures. split: what decides it. space: `Space.described`. storage: its address without a
    password, or the name of the journal.
    """

    data_digest: str
    split: Mapping[str, Any]
    space: Mapping[str, Any]
    seed: int
    storage: str
    versions: Mapping[str, str]

    def study(self, folder: Path) -> str:
        """The name of the study in its storage; the settings are written where the folder has none yet.

        Raises:
            UsageError: the folder belongs to another search.
            SinkError: the folder cannot be written to.
        """
        path = folder / FILE
        if not path.exists():
            _write_first(path, {"format": FORMAT, "study": f"orilla-{secrets.token_hex(8)}", **asdict(self)})
        written = _read(path)
        for field in fields(self):
            mine = json.loads(json.dumps(getattr(self, field.name)))
            if written.get(field.name) != mine:
                differs = _difference(field.name, written.get(field.name), mine)
                raise UsageError(
                    f"{folder} is the study of another search: {differs}.",
                    "Give the options that it was begun with, or another --output.",
                )
        return str(written["study"])


def installed() -> dict[str, str]:
    """The versions that scores depend on."""
    return {name: version(name) for name in _PACKAGES}


def without_password(storage: str) -> str:
    """The address of a storage as it may be shown and written down."""
    parts = urlsplit(storage)
    if parts.password is None:
        return storage
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}@{host}"))


def _write_first(path: Path, content: Mapping[str, Any]) -> None:
    """Write the file unless another worker is quicker: whole, and never over an existing one."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except OSError:  # A file system without links.
            if not path.exists():
                part.replace(path)
    except OSError as error:
        raise SinkError(f"{path}: {error.strerror or error}.", "Write to another place, or free space.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == FORMAT and isinstance(content["study"], str):
            return dict(content)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise UsageError(f"{path} is no settings file of this version of Orilla.", "Give another --output.")


def _difference(name: str, theirs: Any, mine: Any) -> str:
    """What differs, in words."""
    if name == "data_digest":
        return f"{_WHAT[name]} are others"
    path, theirs, mine = _first_difference(theirs, mine)
    where = f" ({' '.join(path)})" if path else ""
    return f"{_WHAT[name]}{where}: {_short(theirs)} there, {_short(mine)} here"


def _first_difference(theirs: Any, mine: Any) -> tuple[list[str], Any, Any]:
    """The names that lead to the first value that differs, and both values."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for key in sorted({*theirs, *mine}):
            if theirs.get(key) != mine.get(key):
                path, one, other = _first_difference(theirs.get(key), mine.get(key))
                return [str(key), *path], one, other
    if isinstance(theirs, list) and isinstance(mine, list):
        for one, other in zip_longest(theirs, mine):
            if one != other:
                return [], one, other
    return [], theirs, mine


def _short(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "…"
