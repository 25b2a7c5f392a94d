"""Names of files that are made of sources and labels, which may hold anything."""

from __future__ import annotations

import re
from pathlib import Path

_LONGEST = 80


def plain(text: str, otherwise: str) -> str:
    """Letters, digits and a few marks of a text, at most 80 bytes of UTF-8; `otherwise` where nothing is left."""
    name = re.sub(r"[^\w.+=@ -]", "_", text).strip(". ") or otherwise
    return name.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")


def stem(source: str) -> str:
    """The last part of a source's name, without a suffix."""
    return plain(Path(source).stem, "frame")
