"""Which pictures belong together: those of one part, one patient, one board must not stand on both sides of a split."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

COLUMN = "group"
"""The column that is taken unasked."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """`groups`: the name of each picture's group, in the order of the set; a picture of its own has none but itself.

    `how`: the column or the pattern that they come from.
    """

    groups: tuple[str, ...]
    how: str

    @classmethod
    def parse(cls, text: str, images: LabelledImages) -> Grouping:
        """The groups that `text` says: the name of a column, or a regular expression on the relative path.

        What the expression's first pair of brackets captures is the group, without brackets all that it matches. In a
        column, a picture without a value is a group of its own.

        Raises:
            UsageError: no such column and no expression, or one that does not match every path.
        """
        if text in images.columns:
            return cls.of_column(text, images)
        try:
            pattern = re.compile(text)
        except re.error as error:
            known = f"Its columns are {', '.join(images.columns)}." if images.columns else "It has no other columns."
            raise UsageError(f"The group {text!r} is no column and no regular expression: {error}.", known) from error
        found = [pattern.search(path.as_posix()) for path in images.paths]
        groups = [None if match is None else match[1 if pattern.groups else 0] for match in found]
        missed = [path for path, group in zip(images.paths, groups, strict=True) if not group]
        if missed:
            columns = f" no column of {images.root}, and as a pattern" if text.isidentifier() else ""
            raise UsageError(
                f"The group {text!r} is{columns or ' a pattern that'} fits {len(images) - len(missed)} of "
                f"{len(images)} paths, but not {missed[0].as_posix()}.",
                "Give a regular expression that fits every path, such as '([^/]+)_[0-9]+[.]', or a column.",
            )
        return cls(tuple(group for group in groups if group), text)

    @classmethod
    def of_column(cls, name: str, images: LabelledImages) -> Grouping:
        """The groups that a column names."""
        values = zip(images.columns[name], images.paths, strict=True)
        # A path cannot be another's group by accident: no name of a file holds a NUL.
        return cls(tuple(value or f"\0{path.as_posix()}" for value, path in values), name)

    def count(self) -> int:
        """How many groups there are."""
        return len(set(self.groups))

    def of(self, places: list[int]) -> tuple[str, ...]:
        """The groups of some of the pictures."""
        return tuple(self.groups[place] for place in places)


def grouping_for(images: LabelledImages, group: str | None) -> Grouping | None:
    """What `group` says, else the column `group` where there is one, else None.

    Raises:
        UsageError: as `Grouping.parse`.
    """
    if group is not None:
        return Grouping.parse(group, images)
    return Grouping.of_column(COLUMN, images) if COLUMN in images.columns else None
