"""Times what was verified, and says where each artifact stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orilla_converters.calibration_feed import normalized
from orilla_converters.choice import defaults, settled
from orilla_converters.progress import Progress, Step
from orilla_converters.standing import Standing, artifact_path, candidates, remarks, standings
from orilla_converters.timing import Latency, Runnable, measure
from orilla_converters.verify import Judge, Verdict


def stand(judge: Judge, verdicts: Sequence[Verdict], *, timing: bool, say: Progress) -> tuple[Standing, ...]:
    """Where verified artifacts stand; without timing the order of preference chooses the defaults."""
    able = candidates(verdicts)
    chosen, latencies = defaults(able, {}), dict[str, Latency]()
    if timing:
        say(Step("measure", f"{len(verdicts)} artifacts on one picture, in interleaved rounds"))
        runnables = [_runnable(judge, verdict) for verdict in verdicts]
        chosen, latencies = settled(able, lambda: measure(runnables))
    rows = standings(verdicts, latencies, chosen)
    for note in remarks(rows):
        say(note)
    return rows


def _runnable(judge: Judge, verdict: Verdict) -> Runnable:
    """The artifact with the first judged picture, as it takes it."""
    picture = np.array(judge.tensors.open()[:1])
    recipe = verdict.recipe
    tensor = normalized(picture, judge.left_outside(recipe)) if recipe.io == "float" else picture
    return Runnable(artifact_path(verdict), recipe.format, verdict.data, (tensor,))
