"""The reason why a file is no picture or no video, before the file's name is known."""

from __future__ import annotations


class Unreadable(ValueError):  # noqa: N818 - it is caught where the file's name is known and becomes a SourceError
    """Carries the rest of a sentence that begins with the file's name: `is a JPEG that is cut off`."""
