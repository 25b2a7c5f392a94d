"""CIFAR-10 from scratch: the tutorials' net and ours in one run, accuracy against seconds of training.

`python -m benchmarks.cifar_training` takes 16,000 pictures of training; who has the whole of CIFAR-10, or a network to
fetch it, gives `cifar10`, and every figure is of that. Each net keeps its best epoch by a tenth of the pictures of
training, and is judged once on the test. The trainings take turns, an epoch each, and their seconds are their own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.int8_top1 import int8_of
from benchmarks.results import FOLDER, test_data, write
from benchmarks.turns import Trained, Training, train_in_turns
from orilla.data.opening import data_file
from orilla.models.zoo import build

NAME = "cifar_training"
OPTIONS = {"batch_size": 64, "learning_rate": 5e-3, "augmentation": "flip,shift=0.1"}
"""What differs from the net's own recipe, which is for small sets, and for digits, which cannot be mirrored."""

TUTORIAL = Training("cifar_cnn, 20 epochs", "cifar_cnn", {"epochs": 20})
EQUAL, LONG = 20, 50
"""Epochs of ours that take no longer than the tutorial's 20, and two and a half times as many."""


def _ours(epochs: int) -> Training:
    return Training(f"small, {epochs} epochs", "small", {"epochs": epochs, "patience": epochs, **OPTIONS})


def main(arguments: Sequence[str]) -> None:
    data = Path(data_file(arguments[0] if arguments else test_data() / "cifar10_subset.npz"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = train_in_turns([TUTORIAL, _ours(EQUAL), _ours(LONG)], data, folder)
        rows = [_row(trained, results[0], data) for trained in results]
    draw(results, FOLDER / f"{NAME}.png")
    figures = {
        "data": arguments[0] if arguments else "cifar10_subset.npz, 16,000 pictures of training, 2,000 of the test",
        "options_of_small": ", ".join(f"{name} {value}" for name, value in OPTIONS.items()),
        "seconds": "of training and validation, without reading the pictures; `time` and `cpu` against the tutorial's",
        "curves": f"![validation accuracy against seconds]({NAME}.png)",
    }
    curves = {trained.training.name: [asdict(point) for point in trained.curve] for trained in results}
    write(NAME, "CIFAR-10 from scratch: accuracy against time", figures, rows, {"epochs": curves})


def draw(results: Sequence[Trained], path: Path) -> None:
    """Validation accuracy against seconds, of the clock and of all cores."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, what, unit in zip(axes, ("seconds", "cpu_seconds"), ("seconds", "CPU seconds"), strict=True):
        for trained in results:
            seconds = [getattr(point, what) for point in trained.curve]
            axis.plot(seconds, [point.val_accuracy for point in trained.curve], label=trained.training.name)
        axis.set_xlabel(unit)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy in validation")
    axes[1].legend(loc="lower right")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _parameters(trained: Trained) -> int:
    preprocess, labels = trained.result.card.preprocess, trained.result.card.labels
    net = build(trained.training.model, image_size=preprocess.size[0], depth=preprocess.depth, classes=len(labels))
    return int(net.count_params())


def _row(trained: Trained, tutorial: Trained, data: Path) -> dict[str, Any]:
    last, basis, exact = trained.curve[-1], tutorial.curve[-1], trained.result.test
    int8 = int8_of(trained.result.path, data)
    assert {accuracy.n for accuracy in int8.accuracy.values()} == {exact.n}
    return {
        "training": trained.training.name,
        "parameters": _parameters(trained),
        "seconds": round(last.seconds, 1),
        "cpu_seconds": round(last.cpu_seconds, 1),
        "time": round(last.seconds / basis.seconds, 2),
        "cpu": round(last.cpu_seconds / basis.cpu_seconds, 2),
        "best_epoch": trained.result.best.epoch,
        "n": exact.n,
        "top1": round(exact.top1, 4),
        "points_better": round((exact.top1 - tutorial.result.test.top1) * 100, 2),
        **{f"int8.{key}_lost": round((exact.top1 - one.top1) * 100, 2) for key, one in int8.accuracy.items()},
        "int8_bytes": max(int8.size.values()),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
