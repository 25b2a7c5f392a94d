"""What Orilla writes stays out of the pictures that it reads: a folder of plots among class folders is a class."""

from __future__ import annotations

from pathlib import Path

from orilla_runtime.errors import UsageError


def check_apart(made: Path, data: str | Path, *, otherwise: str = "") -> None:
    """Check that a folder in which pictures will be made does not lie among the class folders of `data`.

    Hidden folders are no classes, and tables and arrays name their pictures: both are fine. `otherwise` is what else
    helps, as the end of a sentence.

    Raises:
        UsageError: it does.
    """
    root = Path(data)
    if not root.is_dir() or made.is_file():  # a file in its way is another error
        return
    place, home = made.resolve(), root.resolve()
    if not place.is_relative_to(home):
        return
    if place == home or not any(part.startswith(".") for part in place.relative_to(home).parts):
        raise UsageError(
            f"{made} would lie among the class folders of {data}, and its pictures would be taken for a class.",
            f"Write to a place outside of the data{otherwise}.",
        )
