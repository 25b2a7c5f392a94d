"""What a reader of foreign files may cost."""

from __future__ import annotations


class DamagedFileError(Exception):
    """The bytes do not follow their format. The readers turn it into a ModelError that names the file."""


class CutFieldError(DamagedFileError):
    """A field says that it is longer than what is left of the file."""

    def __init__(self, number: int) -> None:
        super().__init__("a field reaches beyond the end of the file")
        self.number = number


class Budget:
    """Bounds the work of one reading: offsets may share their target, so a small file can describe a huge one."""

    def __init__(self, steps: int = 1_000_000) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Count `steps` elements. Raises DamagedFileError where there were too many."""
        self._left -= steps
        if self._left < 0:
            raise DamagedFileError("it describes far more than a model holds")
