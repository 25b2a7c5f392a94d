"""Every model of the zoo: size, work, and what int8 makes of it. Writes what `orilla models` shows.

`python -m benchmarks.zoo` for all, or with the names of some, whose rows are renewed. Nets of which there are weights
are judged on real pictures: the small ones, trained by their own recipe, on MNIST or CIFAR-10, EfficientNet-Lite0 on
photos of ImageNet. The others have random weights: their files and times are real, their accuracy is not judged.
`--folder DIR` keeps the converted files; `--only count`, `convert` or `time` does one part: times want a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.coverage.pictures import draw
from benchmarks.results import FOLDER, machine, test_data
from orilla.converting import save_pretrained
from orilla_converters import tflite
from orilla_converters.conversion import convert
from orilla_converters.keras_card import read_card
from orilla_converters.recipe import Recipe
from orilla_converters.results import ArtifactResult
from orilla_converters.tensor_file import write_tensors
from orilla_converters.timing import Runnable, measure
from orilla_runtime.bundle.reader import open_bundle

TARGET = Path(__file__).parents[1] / "sdk" / "orilla" / "models" / "measured.json"
FORMAT, PRECISIONS = "tflite", ("float32", "int8")
CLASSES, DRAWN = 10, 4
CIFAR_PICTURES = 6000


def mnist(folder: Path) -> Path:
    """5,000 real digits, a folder a class."""
    with np.load(test_data() / "mnist_5k.npz") as archive:
        for number, (image, label) in enumerate(zip(archive["images"], archive["labels"], strict=True)):
            place = folder / str(label)
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / f"{number:04}.png"), image)
    return folder


def cifar(folder: Path) -> Path:
    """6,000 pictures of CIFAR-10's training part, a folder a class, as they are."""
    with np.load(test_data() / "cifar10_subset.npz") as archive:
        data, places, labels = (archive[f"train_{name}"] for name in ("jpeg", "offsets", "labels"))
        classes = tuple(str(name) for name in archive["class_names"])
    for number, (start, end) in enumerate(islice(pairwise(places), CIFAR_PICTURES)):
        place = folder / classes[labels[number]]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.jpg").write_bytes(data[start:end].tobytes())
    return folder


@dataclass(frozen=True, slots=True)
class Judged:
    """What a net is trained or judged on: `data` writes the pictures; the name is for people."""

    name: str
    data: Callable[[Path], Path]
    image_size: int
    channels: str


TRAINED = {
    "small": Judged("6,000 pictures of CIFAR-10", cifar, 32, "rgb"),
    "mnist_cnn": Judged("5,000 digits of MNIST", mnist, 28, "grey"),
    "mnist_cnn_deep": Judged("5,000 digits of MNIST", mnist, 28, "grey"),
    "cifar_cnn": Judged("6,000 pictures of CIFAR-10", cifar, 32, "rgb"),
}
PHOTOS = "400 photos of ImageNet"


def counted(name: str) -> dict[str, Any]:
    """What needs no training: the model's size and work for ten classes."""
    from orilla.models import zoo
    from orilla.models.macs import macs

    entry, judged = zoo.entry_of(name), TRAINED.get(name)
    size = judged.image_size if judged else entry.image_size
    channels = judged.channels if judged else entry.channels[0]
    model = zoo.build(name, image_size=size, depth=1 if channels == "grey" else 3, classes=CLASSES)
    return {
        "name": name,
        "image_size": size,
        "channels": channels,
        "classes": CLASSES,
        "parameters": int(model.count_params()),
        "macs": macs(model),
        "trained_on": None,
    }


def convert_one(name: str, folder: Path) -> dict[str, Any]:
    """Write the model and its files, `folder/NAME.PRECISION.tflite`; what its row says of them but for the times."""
    from orilla.models.zoo import PRETRAINED

    judged = TRAINED.get(name)
    model = folder / f"{name}.keras"
    if judged:
        return _judged(name, judged, model, folder)
    if name in PRETRAINED:
        save_pretrained(name, model)
        return _written(name, model, folder) | _on_photos(name)
    _write_random(name, model)
    return _written(name, model, folder)


def _judged(name: str, judged: Judged, model: Path, folder: Path) -> dict[str, Any]:
    """A net that is trained here, converted and judged as everybody does it."""
    import orilla

    bundle = folder / f"{name}.orilla"
    with tempfile.TemporaryDirectory() as place:
        data = judged.data(Path(place) / "pictures")
        orilla.train(data, output=model, model=name)
        recipes = [Recipe(FORMAT, precision) for precision in PRECISIONS]
        # The gate is open: what is bad is to be seen in the table.
        result = convert(model, data=data, output=bundle, recipes=recipes, timing=False, golden="none", max_drop=1.0)
    with open_bundle(bundle) as opened:
        for artifact in result.artifacts:
            _file(folder, name, artifact.precision).write_bytes(opened.read(artifact.path))
    known = {"trained_on": judged.name, "n": result.artifacts[0].metrics.n}
    return known | {artifact.precision: _figures(artifact) for artifact in result.artifacts}


def _on_photos(name: str) -> dict[str, Any]:
    """What `python -m benchmarks.imagenet` found."""
    found = json.loads((FOLDER / "imagenet.json").read_text(encoding="utf-8"))["artifacts"]
    known: dict[str, Any] = {"trained_on": PHOTOS}
    for row in found:
        path = Path(row["artifact"])
        if row["net"] == name and path.suffix == f".{FORMAT}":
            known["n"] = row["n"]
            precision = next(each for each in PRECISIONS if each in path.name)
            known[precision] = {figure: row[figure] for figure in ("bytes", "top1", "agreement", "sqnr_db")}
    return known


def _figures(artifact: ArtifactResult) -> dict[str, Any]:
    metrics = artifact.metrics
    return {
        "bytes": artifact.bytes,
        "top1": None if metrics.accuracy is None else round(metrics.accuracy.top1, 4),
        "agreement": round(metrics.agreement, 4),
        "sqnr_db": None if metrics.sqnr_db is None else round(metrics.sqnr_db, 1),
    }


def _written(name: str, model: Path, folder: Path) -> dict[str, Any]:
    """A net whose accuracy is not judged here: the converter's own files, calibrated on drawn pictures."""
    from orilla.models.zoo import entry_of

    size = entry_of(name).image_size
    shape, card = (size, size, 3), read_card(model)
    assert card is not None
    with tempfile.TemporaryDirectory() as place:
        sample = write_tensors(Path(place) / "sample.u8", draw(DRAWN, shape, 0)[:, np.newaxis], shape)
        known: dict[str, Any] = {"model": str(model), "normalization": None, "raw": True, "channels": "rgb"}
        known |= {"calibration": sample.to_json(), "labels": list(card.labels)}
        rows = {}
        for precision in PRECISIONS:
            made = tflite.write_job({**known, "recipe": str(Recipe(FORMAT, precision))}, Path(place))
            shutil.copyfile(made["path"], _file(folder, name, precision))
            rows[precision] = {"bytes": Path(made["path"]).stat().st_size}
    return rows


def _file(folder: Path, name: str, precision: str) -> Path:
    return folder / f"{name}.{precision}.tflite"


def _write_random(name: str, path: Path) -> None:
    import keras

    from benchmarks.coverage.sensible import make_sensible
    from orilla.models import zoo
    from orilla.models.saving import save_model
    from orilla_converters.keras_card import KerasCard
    from orilla_runtime.preprocess import Preprocess

    keras.utils.set_random_seed(0)
    size = zoo.entry_of(name).image_size
    model = zoo.build(name, image_size=size, depth=3, classes=CLASSES)
    make_sensible(model, [draw(8, (size, size, 3), 1).astype(np.float32)])
    card = KerasCard(tuple(map(str, range(CLASSES))), Preprocess((size, size)))
    save_model(model, path, card)


def time_one(name: str, folder: Path, row: dict[str, Any]) -> None:
    """Put milliseconds into the row: both files in turn, in their real engine."""
    depth = 1 if row["channels"] == "grey" else 3
    picture = draw(1, (row["image_size"], row["image_size"], depth), 3)
    files = {precision: _file(folder, name, precision).read_bytes() for precision in PRECISIONS}
    times = measure([Runnable(precision, FORMAT, data, (picture,)) for precision, data in files.items()])
    for precision, latency in times.items():
        row[precision]["ms"] = float(f"{latency.median:.3g}")
    row["int8"]["time_ratio"] = round(times["int8"].median / times["float32"].median, 2)


@contextmanager
def _kept(folder: str | None) -> Iterator[Path]:
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def main() -> None:
    from orilla.models.zoo import MODELS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folder")
    parser.add_argument("--only", choices=("count", "convert", "time"))
    given = parser.parse_args()
    before = json.loads(TARGET.read_text(encoding="utf-8"))["models"] if TARGET.is_file() else []
    rows = {row["name"]: row for row in before}
    with _kept(given.folder) as folder:
        for name in given.names or MODELS:
            kept = folder / f"{name}.json"
            if given.only in {None, "convert"}:
                files = convert_one(name, folder)
                files["int8"]["size_ratio"] = round(files["int8"]["bytes"] / files["float32"]["bytes"], 3)
                kept.write_text(json.dumps(files), encoding="utf-8")
            if given.only in {None, "count"} or name not in rows:
                rows[name] = counted(name)
            if given.only != "count":
                rows[name] |= json.loads(kept.read_text(encoding="utf-8"))
            if given.only in {None, "time"}:
                time_one(name, folder, rows[name])
            print(json.dumps(rows[name]), flush=True)
            document = {"machine": machine(), "models": [rows[each] for each in MODELS if each in rows]}
            TARGET.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
