"""Puts a picture file into a folder: whole or not at all, and never over another file."""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from orilla_runtime.errors import SinkError

How = Literal["copy", "link", "move"]


@dataclass(slots=True)
class Filing:
    """Files pictures into folders below `into`, which are made as needed.

    A name that another picture has already gets `-2`, `-3`, …; a file that is there with the same bytes is not filed
    again, so that an interrupted job goes on where it was. Names that differ in capitals only count as the same: they
    are on many disks.

    how: `copy`; `link`, a second name of the same file (a hard link), which takes no room; `move`, which removes the
        originals when `finish` is called and every picture is in its place.
    """

    into: Path
    how: How = "copy"
    _taken: dict[Path, set[str]] = field(default_factory=dict)
    _filed: list[tuple[Path, Path]] = field(default_factory=list)

    def file(self, picture: Path, folder: str) -> Path:
        """File one picture into a subfolder, and give its new path.

        Raises:
            SinkError: the folder or the file cannot be made, or a link leads to another disk.
        """
        target = self._free(picture, self.into / folder)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                _part_of(target).unlink(missing_ok=True)
            else:
                self._put(picture, target)
        except OSError as error:
            raise _failed(picture, target, error) from error
        if self.how == "move":
            self._filed.append((picture, target))
        return target

    def finish(self) -> None:
        """Of a move, remove the originals; otherwise nothing.

        Raises:
            SinkError: an original cannot be removed; the others are.
        """
        failed: OSError | None = None
        while self._filed:
            picture, target = self._filed[-1]
            try:
                if target.exists() and not _is_one_file(picture, target):
                    picture.unlink(missing_ok=True)
            except OSError as error:
                failed = error
            self._filed.pop()
        if failed is not None:
            raise SinkError(f"{failed.filename} cannot be removed: {failed.strerror}.", "It was copied: remove it.")

    def _free(self, picture: Path, folder: Path) -> Path:
        """The first name that nobody has, or that the same picture has from an earlier, interrupted job."""
        taken = self._taken.setdefault(folder, set())
        number = 1
        while True:
            name = picture.name if number == 1 else f"{picture.stem}-{number}{picture.suffix}"
            target = folder / name
            if name.casefold() not in taken and (not os.path.lexists(target) or _same(picture, target)):
                taken.add(name.casefold())
                return target
            number += 1

    def _put(self, picture: Path, target: Path) -> None:
        if self.how == "link":
            os.link(picture.resolve(), target)
        elif self.how == "copy" or picture.is_symlink():
            _copy(picture, target)
        else:
            try:
                os.link(picture, target)  # A rename would replace a file that came in between; this fails.
            except OSError:
                _copy(picture, target)


def _part_of(target: Path) -> Path:
    """Where a file is before it is whole: always the same place, so that the next job clears what a killed one left."""
    return target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.part")


def _copy(picture: Path, target: Path) -> None:
    part = _part_of(target)
    try:
        shutil.copy2(picture, part)
        try:
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:  # A disk without hard links
            if target.exists():
                raise FileExistsError(errno.EEXIST, "there is a file of this name", str(target)) from None
            part.rename(target)
    finally:
        with suppress(OSError):
            part.unlink()


def _is_one_file(picture: Path, target: Path) -> bool:
    """Whether both are one name of one file, and not two names of it: removing the first would remove the last."""
    if picture.resolve() == target.resolve():
        return True
    return picture.exists() and picture.samefile(target) and target.stat().st_nlink == 1


def _same(picture: Path, target: Path) -> bool:
    try:
        return filecmp.cmp(picture, target, shallow=False)
    except OSError:
        return False


def _failed(picture: Path, target: Path, error: OSError) -> SinkError:
    if error.errno == errno.EXDEV:
        return SinkError(f"{target} cannot be a link: {picture} is on another disk.", "Copy in place of linking.")
    if error.errno == errno.ENOSPC:
        return SinkError(f"{target}: no space left on the disk.", "Free some and run the command again: it goes on.")
    return SinkError(f"{picture} cannot be filed as {target}: {error.strerror or error}.")
