"""Interleaved rounds, and the artifacts of a bundle timed against each other."""

from __future__ import annotations

import numpy as np

from orilla_converters.results import ConversionResult
from orilla_converters.timing import Runnable, interleaved, measure
from orilla_runtime.bundle.reader import open_bundle


def test_every_round_calls_all() -> None:
    called: list[str] = []

    def call(name: str) -> None:
        called.append(name)
        sum(range(200_000))  # longer than a sample, so that none is repeated

    times = interleaved({name: lambda name=name: call(name) for name in "ab"}, 0.0, least=4, most=9)  # type: ignore[misc]
    assert "".join(called[-8:]) == "abababab"
    assert {name: len(values) for name, values in times.items()} == {"a": 4, "b": 4}
    assert interleaved({}) == {}


def test_artifacts_of_a_bundle(converted: ConversionResult) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    with open_bundle(converted.path) as bundle:
        able = [
            Runnable(artifact.path, artifact.format, bundle.read(artifact.path), (picture,))
            for artifact in bundle.manifest.artifacts
        ]
    latencies = measure([*able, Runnable("of another kind", "sculpture", b"", (picture,))], seconds=0.2)
    assert set(latencies) == {artifact.path for artifact in converted.artifacts}
    for latency in latencies.values():
        assert 0 < latency.best <= latency.low <= latency.median <= latency.high
        assert latency.rounds >= 5
