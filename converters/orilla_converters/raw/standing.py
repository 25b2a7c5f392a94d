"""Where a raw artifact stands: beside float32 of its format in size and time; which is its format's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.choice import defaults, settled
from orilla_converters.ports import Ports
from orilla_converters.progress import Progress, Step
from orilla_converters.raw.judging import RawVerdict, taken
from orilla_converters.raw.samples import Samples
from orilla_converters.standing import artifact_path, beside_float32, candidates, remarks
from orilla_converters.timing import Latency, Runnable, measure


@dataclass(frozen=True, slots=True)
class RawStanding:
    """A verdict among the others, as `orilla_converters.standing.Standing` for a classifier's."""

    verdict: RawVerdict
    path: str
    latency: Latency | None = None
    size_ratio: float | None = None
    time_ratio: float | None = None
    slower: bool = False
    larger: bool = False
    default: bool = False


def stand(
    verdicts: Sequence[RawVerdict], samples: Samples, ports: Ports, *, timing: bool, say: Progress
) -> tuple[RawStanding, ...]:
    """Where verdicts that passed stand; without timing the order of preference chooses the defaults."""
    able, latencies = candidates(verdicts), dict[str, Latency]()
    if timing:
        say(Step("measure", f"{len(verdicts)} artifacts on one sample, in interleaved rounds"))
        row = tuple(np.array(samples.judged[port.name].open()[0]) for port in ports.inputs)
        runnables = [_runnable(verdict, ports, row) for verdict in verdicts]
        chosen, latencies = settled(able, lambda: measure(runnables))
    else:
        chosen = defaults(able, {})
    rows = tuple(
        RawStanding(
            verdict,
            artifact_path(verdict),
            latencies.get(artifact_path(verdict)),
            default=chosen[verdict.recipe.format] == artifact_path(verdict),
            **beside_float32(verdict, verdicts, latencies),
        )
        for verdict in verdicts
    )
    for note in remarks(rows):
        say(note)
    return rows


def _runnable(verdict: RawVerdict, ports: Ports, row: tuple[NDArray[Any], ...]) -> Runnable:
    inputs = taken(verdict.inputs, ports, row, verdict.recipe.io)
    return Runnable(artifact_path(verdict), verdict.recipe.format, verdict.data, inputs)
