"""Text from outside, such as a file's name, in a form that is safe to show."""

from __future__ import annotations

import unicodedata

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """`text` on one line: control characters, bytes that are no UTF-8 and marks that reorder text are escaped.

    A name cannot clear a terminal, fake a second line or break the encoder of standard output.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")
