"""Classes that are numbered one too low or too high are noticed, and other weak models are not accused of it."""

from __future__ import annotations

import numpy as np
import pytest

from orilla.evaluation.judgement import judge
from orilla.evaluation.misnumbered import misnumbered

LABELS = [str(index) for index in range(12)]
TRUTH = np.arange(1, 11).repeat(3)


@pytest.mark.parametrize(("shift", "word"), [(1, "one higher"), (-1, "one lower"), (0, ""), (2, "")])
def test_a_shift_of_one_is_named(shift: int, word: str) -> None:
    found = misnumbered(judge(np.eye(13)[TRUTH + shift][:, :12], TRUTH, LABELS))
    assert (word in found) if word else (found == "")


def test_two_classes_that_are_mixed_up_are_no_shift() -> None:
    assert misnumbered(judge(np.eye(2)[[1, 0] * 10], np.array([0, 1] * 10), ["a", "b"])) == ""
