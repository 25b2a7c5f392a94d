"""Whether a file is a bundle, without the means to read one."""

from __future__ import annotations

from pathlib import Path

from orilla_runtime.bundle.layout import LOCAL, LOCAL_SIGNATURE, MANIFEST

SUFFIX = ".orilla"


def is_bundle(path: str | Path) -> bool:
    """Whether a file is meant to be a bundle: by its suffix, or because it begins like one. Never raises."""
    path = Path(path)
    if path.suffix.lower() == SUFFIX:
        return True
    name = MANIFEST.encode("ascii")
    try:
        # Opening a pipe would wait for its other end.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(LOCAL.size + len(name))
    except OSError:
        return False
    return head.startswith(LOCAL_SIGNATURE) and head[LOCAL.size :] == name
