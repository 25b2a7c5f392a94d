"""What happens to artifacts that fail their gates: each is looked into, repaired where that was asked, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orilla_converters.diagnose import Diagnosis, diagnose, report_path, write_report
from orilla_converters.progress import Note, Progress, Step
from orilla_converters.recipe import Recipe
from orilla_converters.repair import Hands, repair
from orilla_converters.verify import Judge, Verdict
from orilla_converters.worker import Workshop
from orilla_runtime.errors import GateError

MOST_LINES = 14
"""Of a table on the screen; the report has it whole."""


class Mender:
    """Makes an artifact again, from the model as it is or from an equalized one.

    source: what a job needs to open the model. sample: what the writing jobs take besides, `calibration` among it.
    `tried`: by artifact, the rungs of its repair, in words.
    """

    def __init__(self, workshop: Workshop, source: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
        self._workshop, self.source, self._sample = workshop, source, sample
        self._graphs: dict[tuple[str, str], dict[str, Any]] = {}
        self._equalized: dict[str, Any] = {}
        self.tried: dict[str, tuple[str, ...]] = {}

    def make(self, source: Mapping[str, Any], recipe: Recipe) -> bytes:
        """The bytes of one artifact."""
        parameters = self._graph(source, recipe) if recipe.format == "onnx" else dict(source)
        value = self._workshop.run(recipe.format, recipe.name, {**parameters, **self._sample, "recipe": str(recipe)})
        return Path(value["path"]).read_bytes()

    def equalize(self) -> dict[str, Any]:
        """The equalized model, made once for all artifacts."""
        if not self._equalized:
            parameters = {**self.source, "calibration": self._sample["calibration"]}
            self._equalized = self._workshop.run("equalize", "equalization", parameters)
        return self._equalized

    def examine(self, judge: Judge, source: Mapping[str, Any], verdict: Verdict) -> Diagnosis:
        """The diagnosis of an artifact that was made from `source`."""
        graph = self._graph(source, verdict.recipe)["graph"] if verdict.recipe.format == "onnx" else None
        return diagnose(self._workshop, judge, verdict, source, graph)

    def _graph(self, source: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
        key = str(source["model"]), recipe.batch
        if key not in self._graphs:
            value = self._workshop.run("onnx-graph", "onnx", {**source, **self._sample, "batch": recipe.batch})
            self._graphs[key] = value | {"graph": value["path"]}
        return self._graphs[key]


def mend(
    mender: Mender, judge: Judge, verdicts: Sequence[Verdict], output: Path, *, repairing: bool, say: Progress
) -> list[Verdict]:
    """The verdicts with every artifact that failed repaired.

    Raises:
        GateError: one failed and was not, or could not be, repaired; the diagnosis lies beside the intended output.
    """
    kept: list[Verdict] = []
    failed, tried = [], mender.tried
    for verdict in verdicts:
        if not verdict.shortcomings:
            _add(kept, verdict)
            continue
        say(Step("diagnose", verdict.recipe.name))
        found = mender.examine(judge, mender.source, verdict)
        mended = None
        if repairing:
            outcome = repair(_hands(mender, judge, say), verdict, found)
            tried[verdict.recipe.name] = outcome.tried
            mended = outcome.verdict
        if mended is None:
            failed.append((verdict, found))
        else:
            say(Note(f"{verdict.recipe.name} was repaired: {mended.repairs[-1]}"))
            _add(kept, mended)
    if failed:
        raise _refusal(failed, len(verdicts), judge, output, tried, say)
    report_path(output).unlink(missing_ok=True)  # of an earlier conversion, which failed
    return kept


def _hands(mender: Mender, judge: Judge, say: Progress) -> Hands:
    def examine(source: Mapping[str, Any], verdict: Verdict) -> Diagnosis:
        return mender.examine(judge, source, verdict)

    return Hands(mender.make, mender.equalize, examine, judge, mender.source, say)


def _add(kept: list[Verdict], verdict: Verdict) -> None:
    """A repair may end in a precision that was asked for too: one file of that name, with the story of both."""
    for place, other in enumerate(kept):
        if other.recipe.name == verdict.recipe.name:
            kept[place] = replace(other, repairs=(*other.repairs, *verdict.repairs))
            return
    kept.append(verdict)


def _refusal(
    failed: Sequence[tuple[Verdict, Diagnosis]],
    artifacts: int,
    judge: Judge,
    output: Path,
    tried: Mapping[str, Sequence[str]],
    say: Progress,
) -> GateError:
    """The error, after the tables were shown and the report was written."""
    for verdict, found in failed:
        if found.layers is not None:
            lines = found.layers.table().splitlines()
            more = [f"… {len(lines) - MOST_LINES} more in the report"] if len(lines) > MOST_LINES else []
            say(Note("\n".join([f"{verdict.recipe.name}, layer by layer:", *lines[:MOST_LINES], *more])))
    report = write_report(output, [found for _, found in failed], tried)
    what = "; ".join(
        f"{verdict.recipe.name}: {', '.join(verdict.shortcomings)} ({found.finding()})" for verdict, found in failed
    )
    remedy = "Nothing on the ladder of repairs passed." if tried else "Repair it (--repair), leave it out (--precision)"
    remedy += "" if tried else ", raise --calibration, or allow more with --max-drop."
    return GateError(
        f"{len(failed)} of {artifacts} artifacts failed on {len(judge.tensors)} pictures. {what}.",
        f"No bundle was written; {report} has every layer. {remedy}",
    )
