"""Is the next model as good as the one that is there? Every pair of files, on the old test pictures and on new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla.evaluation.comparing import Comparison, compare
from orilla.evaluation.evaluate import Evaluation, evaluate
from orilla.evaluation.judgement import Judgement
from orilla.retraining.joining import Joined
from orilla.training import TrainResult
from orilla_runtime.bundle.manifest import Accuracy

OLD, NEW = "old test", "new test"


@dataclass(frozen=True, slots=True)
class Compared:
    """One file and its successor on one set of pictures (`old test`, `new test`) whose classes both know.

    new_alone: the successor on all pictures of the set, also of classes that the old one does not know.
    """

    file: str
    pictures: str
    old: Accuracy
    new: Accuracy
    new_alone: Accuracy
    comparison: Comparison

    def why_worse(self, max_drop: float) -> str | None:
        """Why the successor is worse, in half a line; None where it is not.

        It is worse where it is right on fewer pictures by more than `max_drop` (a fraction of 1), and where chance
        cannot explain that it is right less often, on all pictures or on those of one class.
        """
        lost = -self.comparison.accuracy.value
        where = f"{self.file} on the {self.pictures}"
        if lost > max_drop:
            return f"{where}: {self.new.top1:.1%} is {lost * 100:.1f} points below {self.old.top1:.1%}"
        if self.comparison.worse:
            return f"{where}: {self.new.top1:.1%} is worse than {self.old.top1:.1%} by more than chance explains"
        if self.comparison.worse_classes:
            return f"{where}: {', '.join(self.comparison.worse_classes)} found less often than chance explains"
        return None

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {
            "file": self.file,
            "pictures": self.pictures,
            "n": self.comparison.n,
            "old_top1": self.old.top1,
            "new_top1": self.new.top1,
            "new_top1_on_all_classes": self.new_alone.top1,
            "comparison": self.comparison.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """The next model. `data` is the table of all its pictures: the base of the retraining after this one.

    bundle: the next bundle, where an old one was given. notes: what the user should know.
    """

    path: Path
    data: Path
    bundle: Path | None
    training: TrainResult
    compared: tuple[Compared, ...]
    labels_added: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges models on the two test sets, whose tables lie in `folder`."""

    folder: Path
    joined: Joined

    def compared(self, old: Path, new: Path) -> tuple[Compared, ...]:
        """`old` and `new`, two Keras models or two bundles, file by file; artifacts are matched by their paths."""
        return tuple(row for pictures in (OLD, NEW) for row in self._on(pictures, old, new))

    def _on(self, pictures: str, old: Path, new: Path) -> Sequence[Compared]:
        known = self.joined.test(old=pictures == OLD, known=True)
        whole = self.joined.test(old=pictures == OLD)
        if not known:
            return ()
        before = self._judged(old, "known", known)
        after = self._judged(new, "known", known)
        alone = after if len(whole) == len(known) else self._judged(new, "whole", whole)
        answers = {one.artifact: one.judgement for one in after.artifacts}
        all_answers = {one.artifact: one.judgement for one in alone.artifacts}
        single = len(before.artifacts) == len(after.artifacts) == 1
        rows = []
        for one in before.artifacts:
            name = after.artifacts[0].artifact if single else one.artifact
            if name in answers:
                shown = new.name if single and old.suffix == ".keras" else name
                rows.append(_row(shown, pictures, one.judgement, answers[name], all_answers[name]))
        return rows

    def _judged(self, model: Path, name: str, rows: Sequence[Any]) -> Evaluation:
        table = self.joined.write(self.folder / f"{name}.csv", rows)
        return evaluate(model, table, part="all")


def _row(file: str, pictures: str, old: Judgement, new: Judgement, alone: Judgement) -> Compared:
    return Compared(file, pictures, old.accuracy, new.accuracy, alone.accuracy, compare(old, new))
