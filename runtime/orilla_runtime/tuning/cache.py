"""Remembers measured speeds in the user's cache folder, one small JSON file for a set of model files on a machine.

The file's name is a hash of the models' hashes and of the machine's description, so another model, another engine
version or a copied disk finds nothing. Nothing here ever raises: without a cache, the default way is taken. What only
a found folder needs is imported there: most programs start without one.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import OrillaError
from orilla_runtime.tuning.speeds import Runnable, Speed

SCHEMA = 1
KEPT = 200
"""Files that are kept; the oldest go first."""

_MAX_BYTES = 64 * 1024


def cache_folder(kind: str = "speeds") -> Path | None:
    """Where this user's cache of a kind is, as the system's conventions say; None where there is no such place."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"], "orilla", kind)
    if os.name == "nt":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local, "orilla", "Cache", kind) if local else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "orilla" / kind


def recall(models: Sequence[Runnable]) -> tuple[Speed, ...]:
    """What was measured here for exactly these files; nothing where it was not, or cannot be read."""
    folder = cache_folder()
    # Hashing a bare model costs milliseconds of the first result: only where something may be found.
    if folder is None or not _is_folder(folder):
        return ()
    import json

    try:
        with (folder / _name(models)).open("rb") as file:
            text = file.read(_MAX_BYTES)
        return _decoded(json.loads(text), {model.sha256() for model in models})
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return ()


def remember(models: Sequence[Runnable], speeds: Sequence[Speed]) -> Path | None:
    """Write what was measured; the file, or None where nothing can be written."""
    import json

    from orilla_runtime.engines.machine import machine
    from orilla_runtime.files import replaced

    folder = cache_folder()
    if folder is None:
        return None
    hashes = {model.sha256() for model in models}
    document = {
        "schema": SCHEMA,
        "machine": machine(),
        "speeds": [_encoded(speed) for speed in speeds if speed.sha256 in hashes],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / _name(models)
        with replaced(target) as part:
            part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        _prune(folder)
    except (OSError, OrillaError):
        return None
    return target


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _name(models: Sequence[Runnable]) -> str:
    import hashlib

    from orilla_runtime.engines.machine import machine

    text = "\n".join([f"{SCHEMA}", machine(), *sorted(model.sha256() for model in models)])
    return f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}.json"


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        with suppress(OSError):
            file.unlink()


def _encoded(speed: Speed) -> dict[str, Any]:
    return {
        "sha256": speed.sha256,
        "engine": speed.engine,
        "device": speed.device,
        "threads": speed.threads,
        "milliseconds": speed.milliseconds,
    }


def _decoded(document: Any, hashes: set[str]) -> tuple[Speed, ...]:
    """The speeds of a document that is exactly what `remember` writes. Raises ValueError, TypeError or KeyError."""
    if document["schema"] != SCHEMA:
        raise ValueError(document["schema"])
    return tuple(_speed(entry, hashes) for entry in document["speeds"])


def _speed(entry: Any, hashes: set[str]) -> Speed:
    threads, milliseconds = entry["threads"], float(entry["milliseconds"])
    texts = entry["sha256"], entry["engine"], entry["device"]
    sound = type(threads) is int and 1 <= threads <= usable_cpus() and math.isfinite(milliseconds) and milliseconds > 0
    if not sound or texts[0] not in hashes or not all(isinstance(text, str) for text in texts):
        raise ValueError(entry)
    return Speed(*texts, threads, milliseconds)
