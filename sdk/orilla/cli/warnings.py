"""The library's warnings on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from orilla.cli.console import say
from orilla_runtime.text import printable


@contextmanager
def warnings_shown(around: Callable[[], AbstractContextManager[None]] = nullcontext) -> Iterator[None]:
    """The library's warnings, failures among them, as one line each on standard error, written inside `around`."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with around():
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
