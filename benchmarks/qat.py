"""Does quantization-aware fine-tuning beat plain int8, and the same fine-tuning in float followed by plain int8?

`python -m benchmarks.qat` for all nets, or with the names of some: resnet8, small, mobilenet.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.fake_quant import fake_quantized, give_weights, write_tflite
from benchmarks.qat_nets import NETS, Net, batches, net_of, optimizer
from benchmarks.results import FOLDER, write
from orilla_converters import tflite
from orilla_converters.calibration_feed import normalized
from orilla_converters.equalization import equalize_job
from orilla_converters.flat_graph import flattened
from orilla_converters.metrics import sqnr
from orilla_converters.source import KerasSource
from orilla_converters.tensor_file import write_tensors
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.labelled.scores import wilson

CALIBRATION = 100
WARM_UP = 15
"""Batches that set the ranges before training starts."""
THREADS = 2
Scores = NDArray[np.float32]

FLOAT, PLAIN, UNCORRECTED, EQUALIZED = "float", "int8", "int8, biases not corrected", "equalized, int8"
TUNED_FLOAT, CONTROL = "float fine-tuning: float", "float fine-tuning: int8"
QAT, QAT_CALIBRATED = "fake-quant fine-tuning: int8", "fake-quant fine-tuning: weights alone, then int8"


@dataclass
class Outcome:
    """What one route gave, an entry for each seed. `own`: what the Keras model that the file was made of says."""

    found: list[Scores] = field(default_factory=list)
    own: list[Scores] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)


class Bench:
    """One net, its calibration sample and what the routes gave so far."""

    def __init__(self, net: Net, folder: Path) -> None:
        self.net, self.folder = net, folder
        self.outcomes: dict[str, Outcome] = {}
        chosen = net.train.pixels[:: len(net.train.pixels) // CALIBRATION][:CALIBRATION]
        shape = chosen.shape[1:]
        self._sample = write_tensors(folder / "sample", (one[np.newaxis] for one in chosen), shape).to_json()
        self.float_scores = self.keras_scores(net.open())

    def add(self, route: str, found: Scores, own: Scores, minutes: float = 0.0) -> None:
        """Keep the scores on the test pictures."""
        outcome = self.outcomes.setdefault(route, Outcome())
        outcome.found.append(found)
        outcome.own.append(own)
        outcome.minutes.append(minutes)
        print(self.net.name, route, f"{(found.argmax(1) == self.net.test.truth).mean():.4f}", flush=True)

    def add_file(self, route: str, data: bytes, own: Scores, minutes: float = 0.0) -> None:
        """Run an artifact on the test pictures."""
        session = engine_for("tflite").load(data, EngineOptions(threads=THREADS))
        found = [session.run(one[np.newaxis])[0][0].copy() for one in self.net.test.pixels]
        session.close()
        self.add(route, np.stack(found), own, minutes)

    def converted(self, model: dict[str, Any]) -> bytes:
        """The int8 file that `orilla.convert` makes."""
        recipe = {"recipe": "tflite:int8", "calibration": self._sample, "labels": [], "channels": "rgb"}
        classes = self.float_scores.shape[1]
        made = tflite.write_job({**model, **recipe, "labels": [f"class {one}" for one in range(classes)]}, self.folder)
        return Path(made["path"]).read_bytes()

    def uncorrected(self) -> bytes:
        """The same with the biases as they are."""
        with patch("orilla_converters.tflite.correct_biases"):
            return self.converted(self.net.parameters)

    def equalized(self) -> dict[str, Any] | None:
        """The parameters of the equalized net; None where no pair of layers can be."""
        made = equalize_job(self.net.parameters | {"calibration": self._sample}, self.folder)
        return {"model": made["path"]} if "path" in made else None

    def keras_scores(self, source: KerasSource, core: Any = None) -> Scores:
        """The probabilities of a core, by default the source's own, on the test pictures."""
        return _probabilities(core or source.core, source, self.net.test.pixels)

    def saved(self, source: KerasSource, flat: Any) -> dict[str, Any]:
        """Write a fine-tuned core as a model from pixels to probabilities; its parameters."""
        image = keras.Input(source.shape, name="image")
        front = source.normalization
        pixels = keras.layers.Rescaling(front.scale, front.offset)(image)
        path = self.folder / "tuned.keras"
        keras.Model(image, keras.layers.Softmax()(flat(pixels))).save(path)
        return {"model": str(path)}

    def tune(self, core: Any, source: KerasSource, seed: int) -> float:
        """Fine-tune a core; the CPU minutes that it took."""
        net, own = self.net, self.net.own_scores
        pixels: NDArray[np.uint8] = net.train.pixels
        targets: NDArray[Any] = net.train.truth
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if own:
            pixels = np.concatenate([pixels, pixels[:, :, ::-1]])
            targets = _probabilities(source.core, source, pixels)
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        keras.utils.set_random_seed(seed)
        data = batches(normalized(pixels, source.normalization), targets, net.batch, shift=not own)
        start = time.process_time()
        for taken, _ in data.take(WARM_UP):
            core(taken, training=True)
        core.compile(optimizer(net.rate, net.epochs * len(data)), loss)
        core.fit(data, epochs=net.epochs, verbose=2)
        return (time.process_time() - start) / 60


def _probabilities(core: Any, source: KerasSource, pixels: NDArray[np.uint8]) -> Scores:
    parts = [
        tf.nn.softmax(core(normalized(pixels[start : start + 100], source.normalization), training=False)).numpy()
        for start in range(0, len(pixels), 100)
    ]
    return np.concatenate(parts)


def measure(net: Net, folder: Path) -> Bench:
    """All routes of one net."""
    bench = Bench(net, folder)
    bench.add(FLOAT, bench.float_scores, bench.float_scores)
    bench.add_file(UNCORRECTED, bench.uncorrected(), bench.float_scores)
    bench.add_file(PLAIN, bench.converted(net.parameters), bench.float_scores)
    equal = bench.equalized()
    if equal is not None:
        bench.add_file(EQUALIZED, bench.converted(equal), bench.float_scores)
    for seed in range(net.seeds):
        source = net.open()
        if not net.own_scores:  # in float those are reached before the first step
            flat = flattened(source.core)
            minutes = bench.tune(flat, source, seed)
            own = bench.keras_scores(source, flat)
            bench.add(TUNED_FLOAT, own, own, minutes)
            bench.add_file(CONTROL, bench.converted(bench.saved(source, flat)), own, minutes)
        flat, front = flattened(source.core), source.normalization
        trained = fake_quantized(flat, (front.offset, 255 * front.scale + front.offset))
        minutes = bench.tune(trained, source, seed)
        bench.add_file(QAT, write_tflite(trained, source), bench.keras_scores(source, trained), minutes)
        give_weights(trained, flat)
        own = bench.keras_scores(source, flat)
        bench.add_file(QAT_CALIBRATED, bench.converted(bench.saved(source, flat)), own, minutes)
    return bench


def rows_of(bench: Bench) -> list[dict[str, Any]]:
    """A row a route: the means over the seeds."""
    return [{"net": bench.net.name, "route": route, **_row(bench, one)} for route, one in bench.outcomes.items()]


def _row(bench: Bench, one: Outcome) -> dict[str, Any]:
    truth = bench.net.test.truth
    hits = [float((found.argmax(1) == truth).mean()) for found in one.found]
    low, high = wilson(round(float(np.mean(hits)) * len(truth)), len(truth))
    return {
        "top1": round(float(np.mean(hits)), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "seeds": " ".join(f"{hit:.4f}" for hit in hits),
        "agrees_with_own": _mean(zip(one.own, one.found, strict=True), _agreement, 3),
        "sqnr_db_to_own": _mean(zip(one.own, one.found, strict=True), sqnr, 1),
        "agrees_with_float": _mean(((bench.float_scores, found) for found in one.found), _agreement, 3),
        "cpu_minutes": round(float(np.mean(one.minutes)), 1),
    }


def _mean(pairs: Any, function: Callable[[Scores, Scores], float | None], digits: int) -> float | None:
    values = [function(own, found) for own, found in pairs]
    return None if None in values else round(float(np.mean(values)), digits)  # type: ignore[arg-type]


def _agreement(first: Scores, second: Scores) -> float:
    return float((first.argmax(1) == second.argmax(1)).mean())


def difference(bench: Bench, better: str, than: str) -> str:
    """Points of top-1 between two routes, the same pictures and seeds, with the bootstrap's 95 % over the pictures."""
    truth = bench.net.test.truth
    first, second = (
        np.mean([found.argmax(1) == truth for found in bench.outcomes[route].found], axis=0) for route in (better, than)
    )
    each, random = (first - second) * 100, np.random.default_rng(0)
    drawn = [each[random.integers(0, len(each), len(each))].mean() for _ in range(4000)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{each.mean():+.2f} points ({low:+.2f} to {high:+.2f})"


def compared(bench: Bench) -> dict[str, str]:
    """The questions of this benchmark, answered for one net."""
    control = CONTROL if CONTROL in bench.outcomes else PLAIN
    pairs: Sequence[tuple[str, str]] = ((PLAIN, FLOAT), (control, PLAIN), (QAT, control), (QAT_CALIBRATED, control))
    name = bench.net.name
    return {f"{name}: {one} − {other}": difference(bench, one, other) for one, other in pairs if one != other}


def main(names: list[str]) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    for name in names or NETS:
        with tempfile.TemporaryDirectory() as folder:
            add(measure(net_of(name, Path(folder)), Path(folder)))


def add(bench: Bench) -> None:
    """Put a net's rows among those of the others that were measured before, in the order of `NETS`."""
    path = FOLDER / "qat.json"
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"artifacts": []}
    net = bench.net
    target = "the float net's own scores" if net.own_scores else "labels"
    said = {
        f"{net.name}: what": f"{net.title}; {len(net.train.truth)} pictures train (to {target}), {CALIBRATION} of them "
        f"calibrate, {len(net.test.truth)} others judge; {net.epochs} epochs, Adam from {net.rate:g}, "
        f"seeds: {net.seeds}",
        **compared(bench),
    }
    others = {key: value for key, value in before.items() if key.partition(":")[0] in NETS}
    figures = {key: value for key, value in {**others, **said}.items() if key in said or not key.startswith(net.name)}
    rows = [row for row in before["artifacts"] if row["net"] != net.name] + rows_of(bench)
    title = "Quantization-aware fine-tuning against plain int8, TFLite"
    write("qat", title, dict(sorted(figures.items(), key=_place)), sorted(rows, key=lambda row: NETS.index(row["net"])))


def _place(item: tuple[str, Any]) -> int:
    return NETS.index(item[0].partition(":")[0])


if __name__ == "__main__":
    main(sys.argv[1:])
