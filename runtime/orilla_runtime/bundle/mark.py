"""Whether a file is a bundle, without the means to read one."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".orilla"
# The local header of a zip file's entry has 30 bytes, and its name follows; the manifest is the first.
_SIGNATURE, _HEADER, _MANIFEST = b"PK\x03\x04", 30, b"manifest.json"


def is_bundle(path: str | Path) -> bool:
    """Whether a file is meant to be a bundle: by its suffix, or because it begins like one. Never raises."""
    path = Path(path)
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        # Opening a pipe would wait for its other end.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEADER + len(_MANIFEST))
    except OSError:
        return False
    return head.startswith(_SIGNATURE) and head[_HEADER:] == _MANIFEST
