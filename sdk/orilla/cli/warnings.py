"""The library's warnings on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orilla.cli.console import say
from orilla_runtime.text import printable


@contextmanager
def warnings_shown() -> Iterator[None]:
    """The library's warnings, failures among them, as one line each on standard error."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(f"{record.levelname.lower()}: {printable(record.getMessage())}")

    logger = logging.getLogger("orilla_runtime")
    handler, propagated = Lines(logging.WARNING), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
