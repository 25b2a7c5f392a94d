"""Which artifacts of a bundle an engine of this machine runs, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import EngineError

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyArtifact

Skipped = tuple[tuple[str, str], ...]
"""Paths of artifacts, each with the reason."""


def runnable(artifacts: Iterable[AnyArtifact]) -> tuple[list[AnyArtifact], Skipped]:
    """Those that an engine here runs, and those that none does."""
    able: list[AnyArtifact] = []
    skipped: list[tuple[str, str]] = []
    for artifact in artifacts:
        try:
            engine_for(artifact.format)
        except EngineError as error:
            skipped.append((artifact.path, error.message))
        else:
            able.append(artifact)
    return able, tuple(skipped)
