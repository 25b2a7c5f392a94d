"""Does training from a folder of pictures keep up with training from an array in memory?

The small net at 32 pixels on 3,200 pictures of CIFAR-10, batches of 32. Each round trains one epoch from a float array
in memory, as Keras does it, and one from the folder, without augmentation, with the small net's own and with all of it;
the rounds are interleaved, and ratios are taken within a round: their median and quartiles. Beside seconds of the clock
stand those of all CPUs, which say more on a machine that does other things too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import test_data, write
from orilla.data.augment import Augment
from orilla.data.feed import Feed
from orilla.data.pictures import Pictures
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.recipe import Augmentation
from orilla.models.zoo import build, entry_of
from orilla.training.optimization import Run, compile_model
from orilla_runtime.labelled import read_labelled
from orilla_runtime.preprocess import Preprocess

PICTURES, ROUNDS, BATCH = 3200, 31, 32
CHANGES = {
    "folder": Augmentation(),
    "folder, shift": Augmentation(shift=0.1),
    "folder, everything": Augmentation(
        flip=True, shift=0.1, rotation=10, zoom=0.2, brightness=0.2, contrast=0.2, erase=0.25
    ),
}


def unpack(folder: Path) -> None:
    """The training pictures as they are, JPEG, in a folder for each class."""
    with np.load(test_data() / "cifar10_subset.npz") as archive:
        data, places, labels = (archive[f"train_{name}"] for name in ("jpeg", "offsets", "labels"))
    for number, (start, end) in enumerate(islice(pairwise(places), PICTURES)):
        place = folder / str(labels[number])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.jpg").write_bytes(data[start:end].tobytes())


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of all CPUs."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        unpack(Path(name) / "photos")
        images = read_labelled(Path(name) / "photos")
        assert images.class_ids is not None
        with Pictures(images, Preprocess((32, 32))) as pictures:
            read = timed(pictures.prepare)
            rows, ratios = measured(pictures, images.class_ids)
    figures: dict[str, Any] = {
        "pictures": PICTURES,
        "rounds": ROUNDS,
        "seconds_to_read_all_once": round(read[0], 2),
    }
    for way, found in ratios.items():
        for what, ratio in zip(("speed", "pictures_per_cpu_second"), zip(*found, strict=True), strict=True):
            low, middle, high = statistics.quantiles(ratio, n=4)
            figures[f"{what}_of_{way}_over_array"] = f"{middle:.3f} ({low:.3f} to {high:.3f})"
    write("feed_speed", "Feeding the small net: a folder of pictures against an array in memory", figures, rows)


def measured(
    pictures: Pictures, class_ids: np.ndarray[Any, Any]
) -> tuple[list[dict[str, Any]], dict[str, list[tuple[float, float]]]]:
    keras, _ = keras_and_tensorflow()
    keras.utils.set_random_seed(0)
    places = np.arange(len(pictures))
    net = build("small", image_size=32, depth=3, classes=10)
    model = keras.Model(net.input, net.get_layer("logits").output)
    feed = Feed(pictures, class_ids, places, BATCH)
    compile_model(model, Run("train", 1000, 1e-3, 1000, entry_of("small").recipe), feed.steps, weighted=False)
    array = pictures.take(places).astype(np.float32)

    def from_array() -> None:
        model.fit(array, class_ids, batch_size=BATCH, shuffle=True, verbose=0)

    def from_folder(how: Augmentation) -> Callable[[], None]:
        change = Augment(0, how, len(pictures)) if how.changes else None
        return lambda: model.fit(feed.training(0, change), steps_per_epoch=feed.steps, shuffle=False, verbose=0)

    ways = {"array": from_array, **{way: from_folder(how) for way, how in CHANGES.items()}}
    for work in ways.values():
        work()  # traced and warm
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        order = list(ways.items())
        for way, work in order[number % len(order) :] + order[: number % len(order)]:
            times[way].append(timed(work))
    rows = [
        {
            "way": way,
            "pictures_per_second": round(PICTURES / statistics.median(clock for clock, _ in found)),
            "cpu_ms_per_picture": round(1000 * statistics.median(cpu for _, cpu in found) / PICTURES, 3),
        }
        for way, found in times.items()
    ]
    ratios = {
        way: [(one[0] / two[0], one[1] / two[1]) for one, two in zip(times["array"], found, strict=True)]
        for way, found in times.items()
        if way != "array"
    }
    return rows, ratios


if __name__ == "__main__":
    main()
