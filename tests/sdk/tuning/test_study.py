"""The study that workers share, without a training: who gets which trial, and what becomes of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orilla.tuning.around import Branch, Space
from orilla.tuning.presence import present
from orilla.tuning.records import MAX_DEATHS, Trial, best_of, counted, default_of, score
from orilla.tuning.space import Choice, Range
from orilla.tuning.study import JOURNAL, Claim, Study, open_study, quiet
from orilla_runtime.errors import OrillaError, SinkError

SPACE = Space(
    (
        Branch(
            "small",
            (Range("learning_rate", 1e-4, 1e-2, log=True), Choice("batch_size", (16, 32))),
            {"learning_rate": 1e-3, "batch_size": 32},
            {},
            6,
        ),
    )
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def opened(folder: Path, storage: str | None = None) -> Study:
    return open_study(folder, "study", storage, SPACE, seed=1, epochs=6)


def claimed(study: Study, worker: str = "nobody", total: int = 100) -> Claim:
    claim = study.claim(worker, total)
    assert claim is not None
    return claim


def finish(claim: Claim, accuracy: float, loss: float = 0.5) -> None:
    claim.report(1, accuracy, loss)
    claim.done()


def trial(study: Study, number: int) -> Trial:
    return next(each for each in study.trials() if each.number == number)


@pytest.mark.parametrize("database", [False, True])
def test_the_first_trial_is_the_default_whoever_comes_first(tmp_path: Path, database: bool) -> None:
    storage = f"sqlite:///{tmp_path}/trials.db" if database else None
    first = opened(tmp_path, storage)
    second = opened(tmp_path, storage)
    claims = [claimed(second), claimed(first), claimed(second)]
    assert [claim.default for claim in claims] == [True, False, False]
    assert claims[0].values == {"learning_rate": 1e-3, "batch_size": 32}
    assert len({str(claim.values) for claim in claims}) == 3
    finish(claims[1], 0.9)
    finish(claims[0], 0.9, loss=0.4)
    claims[2].failed("it diverged")
    assert [each.state for each in first.trials()] == ["done", "done", "failed"]
    best, default = best_of(first.trials()), default_of(second.trials())
    assert best is not None
    assert default is not None
    assert best.number == default.number == 0, "equal accuracy: the smaller loss decides"
    assert (best.accuracy, best.loss) == (0.9, 0.4)
    assert trial(second, 2).reason == "it diverged"


def test_no_more_trials_than_asked_for_are_run(tmp_path: Path) -> None:
    """Eight workers at once, each with its own connection to the journal."""
    opened(tmp_path)
    run: list[int] = []

    def worker() -> None:
        study = opened(tmp_path)
        while len(counted(study.trials())) < 10 or any(each.state == "waiting" for each in study.trials()):
            claim = study.claim("nobody", 10)
            if claim is not None:
                finish(claim, 0.5)
                run.append(claim.number)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(run) == len(set(run)) == 10
    assert opened(tmp_path).claim("late", 10) is None
    trials = opened(tmp_path).trials()
    assert [each.state for each in trials] == ["done"] * 10
    assert len({str(each.values) for each in trials}) == 10, "no two workers draw the same"


def test_the_trial_of_a_dead_worker_is_run_again(tmp_path: Path) -> None:
    study = opened(tmp_path)
    workers = tmp_path / "workers"
    with ExitStack() as alive:
        dead = ExitStack()
        dying, living = (stack.enter_context(present(workers)) for stack in (dead, alive))
        default, drawn, kept = claimed(study, dying), claimed(study, dying), claimed(study, living)
        drawn.report(1, 0.4, 1.0)
        assert study.sweep() == []
        dead.close()
        assert sorted(study.sweep()) == [default.number, drawn.number]
        assert study.sweep() == []
        again = [claimed(study, living), claimed(study, living)]
    assert [claim.default for claim in again] == [True, False]
    assert [claim.values for claim in again] == [default.values, drawn.values]
    finish(kept, 0.5)
    assert len(counted(study.trials())) == 3, "what was lost does not count"


def test_a_trial_that_kills_its_workers_has_failed(tmp_path: Path) -> None:
    study = opened(tmp_path)
    for _ in range(MAX_DEATHS):
        with present(tmp_path / "workers") as worker:
            assert claimed(study, worker).default
        study.sweep()
    (given_up,) = counted(study.trials())
    assert given_up.state == "failed"
    assert "3 workers died" in given_up.reason
    assert not claimed(study).default


def test_a_trial_that_was_given_back_is_run_again(tmp_path: Path) -> None:
    study = opened(tmp_path)
    finish(claimed(study), 0.5)
    for _ in range(MAX_DEATHS + 1):
        claim = claimed(study)
        values = claim.values
        claim.report(1, 0.9, 0.1)
        claim.given_back()
    again = claimed(study)
    assert again.values == values
    assert [each.state for each in counted(study.trials())] == ["done", "running"]


def test_a_bad_trial_is_pruned_and_the_default_never(tmp_path: Path) -> None:
    study = opened(tmp_path)
    default = claimed(study)
    for _ in range(5):
        claim = claimed(study)
        for step in range(1, 7):
            assert not claim.report(step, 0.8 + step / 100, 0.5)
        claim.done()
    bad = claimed(study)
    assert [bad.report(step, 0.3, 2.0) for step in (1, 2, 3)] == [False, False, True], "not before half of it"
    bad.pruned()
    assert [default.report(step, 0.1, 3.0) for step in range(1, 7)] == [False] * 6
    default.done()
    pruned = trial(study, bad.number)
    assert (pruned.state, pruned.accuracy, pruned.epochs) == ("pruned", 0.3, 3)


def test_a_journal_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    finish(claimed(opened(tmp_path)), 0.5)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 6, "worker')
    study = opened(tmp_path)
    assert trial(study, 0).accuracy == 0.5
    finish(claimed(study), 0.6)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines()
    assert all(json.loads(line) for line in lines)
    assert [each.accuracy for each in opened(tmp_path).trials()] == [0.5, 0.6]


def test_a_search_that_goes_on_does_not_draw_the_same_again(tmp_path: Path) -> None:
    values = []
    for _ in range(6):  # Each time another process would begin.
        claim = claimed(opened(tmp_path))
        values.append(str(claim.values))
        finish(claim, 0.5)
    assert len(set(values)) == 6


@pytest.mark.parametrize("storage", ["nonsense", "sqlite:////nowhere/at/all.db", "mysql://user:secret@localhost/x"])
def test_a_storage_that_cannot_be_opened(tmp_path: Path, storage: str) -> None:
    with pytest.raises(SinkError) as caught:
        opened(tmp_path, storage)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("hello\nworld\n")
    with pytest.raises(SinkError, match=JOURNAL):
        opened(tmp_path)


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(OrillaError, match="Optuna") as caught, quiet():
        pass
    assert caught.value.remedy == "Install it: pip install 'orilla[tune]'"


def test_accuracy_comes_before_loss() -> None:
    assert score(0.91, 5.0) > score(0.9, 0.0)
    assert score(0.9, 0.1) > score(0.9, 0.2)
    assert score(4999 / 5000, 100.0) > score(4998 / 5000, 0.0)
