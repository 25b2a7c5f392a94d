"""The refusal of a raw conversion: which output of which artifact, and by how much, with the samples it is worst on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orilla_converters.diagnose import write_diagnosis
from orilla_converters.raw.judging import RawVerdict
from orilla_converters.raw.samples import Samples
from orilla_runtime.errors import GateError


def refusal(verdicts: Sequence[RawVerdict], samples: Samples, output: Path) -> GateError:
    """The error; all figures of the artifacts that failed go into `NAME.diagnosis.json` beside the intended bundle."""
    failed = [verdict for verdict in verdicts if verdict.shortcomings]
    path = write_diagnosis(output, {"artifacts": [_figures(verdict, samples) for verdict in failed]})
    what = "; ".join(f"{verdict.recipe.name}: {', '.join(verdict.shortcomings)}" for verdict in failed)
    return GateError(
        f"{len(failed)} of {len(verdicts)} artifacts failed on {samples.judged_on} samples. {what}.",
        f"No bundle was written; {path} has every output. Leave it out (--precision), or name the layers to keep in "
        "float (--recipe FORMAT:mixed,float_layers=NAME+NAME).",
    )


def _figures(verdict: RawVerdict, samples: Samples) -> dict[str, Any]:
    return {
        "artifact": verdict.recipe.name,
        "shortcomings": list(verdict.shortcomings),
        "gate": asdict(verdict.gate),
        "outputs": [] if verdict.metrics is None else [asdict(output) for output in verdict.metrics.outputs],
        "worst": {name: sample(samples, place) for name, place in verdict.worst.items()},
    }


def sample(samples: Samples, place: int) -> str | int:
    """A judged sample: the picture's path, or its place among the judged ones."""
    return place if samples.images is None else samples.images.paths[place].as_posix()
