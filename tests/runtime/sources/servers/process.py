"""A server of the tests in a process of its own, steered over a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import REPOSITORY


class Camera:
    """A running server; `tell` steers it and gives its counts."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.runtime.sources.servers.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        self.port = int(self._answer()["port"])

    def tell(self, **order: Any) -> dict[str, Any]:
        """`do`: drop (hang up), stop (also listening), start; anything else is the new state."""
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))


@contextmanager
def running(module: str) -> Iterator[Camera]:
    camera = Camera(module)
    try:
        yield camera
    finally:
        camera.close()
