"""Text files of labels: one name a line."""

from __future__ import annotations


def lines_of(content: bytes) -> tuple[str, ...]:
    """The lines of a text file: UTF-8 with or without a byte order mark, LF or CRLF, no blank lines at the end."""
    lines = [line.strip() for line in content.decode("utf-8-sig", "backslashreplace").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
