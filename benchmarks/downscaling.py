"""Ways to shrink a large frame to 224x224: how far from INTER_AREA, at what cost, and whether labels stay the same.

Pictures: a zone plate, and stripes of 1 to 3 pixels in three directions. Costs are ratios to INTER_AREA in the same
round, as median and quartiles; `cpu` is the time of the calling thread alone, which a busy machine disturbs least.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.results import FOLDER, machine, test_data
from orilla.models.inference import outputs
from orilla.models.zoo import pretrained
from orilla_runtime.downscale import AreaDownscaler

SIZE = (224, 224)
FRAME = (720, 1280)
ROUNDS = 40
PHOTOS = 200
MOBILENET = "mobilenet_v2_1.0_224_quant.tflite"
Image = NDArray[np.uint8]
Way = Callable[[Image], Image]


def resized(image: Image, width: int, height: int, method: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def area(image: Image) -> Image:
    return resized(image, *SIZE, cv2.INTER_AREA)


def linear(image: Image) -> Image:
    return resized(image, *SIZE, cv2.INTER_LINEAR)


def rows_of_groups(source: tuple[int, int] = FRAME) -> Way:
    """Orilla's own, with its buffers kept as a `Preprocessor` keeps them."""
    downscaler, out = AreaDownscaler(source, SIZE), np.empty((*SIZE, 3), np.uint8)

    def way(image: Image) -> Image:
        downscaler(image, out)
        return out

    return way


def halved(image: Image) -> Image:
    while image.shape[0] >= 2 * SIZE[0] and image.shape[1] >= 2 * SIZE[1]:
        image = resized(image, image.shape[1] // 2, image.shape[0] // 2, cv2.INTER_AREA)
    return image


def samples_then_mean(across: int, down: int) -> Way:
    """Bilinear samples, `across` by `down` of them for each output pixel, then their mean."""

    def way(image: Image) -> Image:
        return area(resized(image, across * SIZE[1], down * SIZE[0], cv2.INTER_LINEAR))

    return way


def fourfold_halved_twice(image: Image) -> Image:
    return area(resized(resized(image, 896, 896, cv2.INTER_LINEAR), 448, 448, cv2.INTER_AREA))


WAYS: dict[str, Way] = {
    "INTER_AREA": area,
    "Orilla: rows of groups": rows_of_groups(),
    "INTER_LINEAR": linear,
    "halving, then linear": lambda image: linear(halved(image)),
    "halving, then INTER_AREA": lambda image: area(halved(image)),
    "2x2 linear samples, their mean": samples_then_mean(2, 2),
    "4x4 linear samples, halved twice": fourfold_halved_twice,
    "5x3 linear samples, their mean": samples_then_mean(5, 3),
}
SOURCES = {
    "1280x720": FRAME,
    "630x630, centre crop of 1280x720": (630, 630),
    "1920x1080": (1080, 1920),
    "640x480": (480, 640),
    "4000x3000": (3000, 4000),
    "3000x4000": (4000, 3000),
    "1279x719": (719, 1279),
    "641x479": (479, 641),
    "4001x3001": (3001, 4001),
}


def patterns(rows: int, columns: int) -> Iterator[tuple[str, Image]]:
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None]
    squares = (x - columns / 2) ** 2 + (y - rows / 2) ** 2
    yield "zone plate", spread(127.5 + 127.5 * np.cos(squares * np.float32(np.pi / columns)))
    for width in (1, 2, 3):
        for name, along in (("vertical", x + 0 * y), ("horizontal", y + 0 * x), ("diagonal", x + y)):
            yield f"{name} {width} px", spread(((along // width) % 2) * 255)


def spread(pattern: NDArray[np.floating[Any]]) -> Image:
    return np.asarray(cv2.cvtColor(pattern.astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def errors(way: Way, source: tuple[int, int] = FRAME) -> dict[str, float]:
    """Mean absolute difference to INTER_AREA in levels of 255, for each pattern."""
    return {
        name: float(np.abs(way(image).astype(int) - area(image).astype(int)).mean())
        for name, image in patterns(*source)
    }


def frame(source: tuple[int, int]) -> Image:
    """Noise, the crop as a view into a larger frame, as `Preprocess` takes it."""
    random = np.random.default_rng(0)
    if source == (630, 630):
        return random.integers(0, 256, (*FRAME, 3), dtype=np.uint8)[45:675, 325:955]
    return random.integers(0, 256, (*source, 3), dtype=np.uint8)


def costs(ways: dict[str, Way], image: Image, rounds: int) -> dict[str, dict[str, list[float]]]:
    """For each way the quartiles of its wall time and CPU time over those of the first way in the same round."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way(image)
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.thread_time()
            way(image)
            taken[name].append((time.perf_counter() - wall, time.thread_time() - cpu))
    times = {name: np.array(values) for name, values in taken.items()}
    first = times[next(iter(ways))]
    quartiles = {name: np.percentile(values / first, [25, 50, 75], axis=0).round(3) for name, values in times.items()}
    return {name: {"wall": q[:, 0].tolist(), "cpu": q[:, 1].tolist()} for name, q in quartiles.items()}


def threads_measured(ways: dict[str, Way], image: Image, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Costs with OpenCV on one thread (wall and CPU) and on two (wall)."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    one = costs(ways, image, rounds)
    cv2.setNumThreads(2)
    two = costs(ways, image, rounds)
    cv2.setNumThreads(before)
    return {
        name: {"cpu": one[name]["cpu"], "one_thread": one[name]["wall"], "two_threads": two[name]["wall"]}
        for name in ways
    }


def photos() -> Iterator[Image]:
    """Photos of different classes, each enlarged until it covers a frame of 1280x720, whose centre is then cut out."""
    with zipfile.ZipFile(test_data() / "imagenet_samples_256.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for name in names[:: len(names) // PHOTOS][:PHOTOS]:
            photo = np.asarray(cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR), np.uint8)
            scale = max(FRAME[0] / photo.shape[0], FRAME[1] / photo.shape[1])
            rows, columns = round(photo.shape[0] * scale), round(photo.shape[1] * scale)
            large = resized(photo, columns, rows, cv2.INTER_CUBIC)
            top, left = (rows - FRAME[0]) // 2, (columns - FRAME[1]) // 2
            yield np.ascontiguousarray(large[top : top + FRAME[0], left : left + FRAME[1]])


def labels_by_mobilenet(tensors: Image) -> list[int]:
    interpreter = Interpreter(model_path=str(test_data() / "models" / MOBILENET), num_threads=2)
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    labels = []
    for tensor in tensors:
        interpreter.set_tensor(given, tensor[np.newaxis])
        interpreter.invoke()
        labels.append(int(interpreter.get_tensor(taken).argmax()))
    return labels


def labels_by_lite0(tensors: Image) -> list[int]:
    batches = (tensors[start : start + 50] for start in range(0, len(tensors), 50))
    return [int(label) for scores in outputs(pretrained("efficientnet_lite0"), batches) for label in scores.argmax(1)]


def agreement() -> list[dict[str, Any]]:
    """How many photos keep the top-1 label that they have after INTER_AREA, for the whole frame and its centre crop."""
    whole, crop = (slice(None), slice(None)), (slice(45, 675), slice(325, 955))
    rows = []
    for view, cut, own in (
        ("whole frame", whole, rows_of_groups()),
        ("centre crop", crop, rows_of_groups((630, 630))),
    ):
        taken = [photo[cut] for photo in photos()]
        small = {
            # Copied: a way may give the same buffer each time.
            name: np.stack([way(photo)[:, :, ::-1].copy() for photo in taken])
            for name, way in {"area": area, "own": own, "linear": linear}.items()
        }
        for net, labelled in (
            ("MobileNetV2, uint8", labels_by_mobilenet),
            ("EfficientNet-Lite0, float", labels_by_lite0),
        ):
            found = {name: np.array(labelled(tensors)) for name, tensors in small.items()}
            same = {name: round(float((found[name] == found["area"]).mean()), 4) for name in ("own", "linear")}
            rows.append({"net": net, "view": view, "photos": len(taken), **same})
    return rows


def report(document: dict[str, Any]) -> str:
    def cost(quartiles: list[float]) -> str:
        return f"{quartiles[1]:.2f} ({quartiles[0]:.2f}–{quartiles[2]:.2f})"

    columns = "cpu | one thread | two threads"
    lines = ["# Downscaling to 224x224", ""]
    lines += ["Errors: mean absolute difference to INTER_AREA in levels of 255, over a zone plate and nine kinds of"]
    lines += [
        "stripes (mean of the ten, and the worst). Costs: ratio to INTER_AREA in the same round, median (quartiles);"
    ]
    lines += ["cpu is the calling thread's own time, the others are wall time.", "", "## 1280x720", ""]
    lines += [f"| way | mean error | worst error | {columns} |", "| --- | --- | --- | --- | --- | --- |"]
    for row in document["ways"]:
        costs_of = " | ".join(cost(row["cost"][key]) for key in ("cpu", "one_thread", "two_threads"))
        lines.append(f"| {row['way']} | {row['mean_error']} | {row['largest_error']} | {costs_of} |")
    lines += ["", "## Orilla's, other sizes", ""]
    lines += [f"| picture | mean error | worst error | {columns} |", "| --- | --- | --- | --- | --- | --- |"]
    for row in document["sizes"]:
        costs_of = " | ".join(cost(row["cost"][key]) for key in ("cpu", "one_thread", "two_threads"))
        lines.append(f"| {row['picture']} | {row['mean_error']} | {row['largest_error']} | {costs_of} |")
    lines += ["", "## Top-1 label as after INTER_AREA, photos enlarged to 1280x720", ""]
    lines += ["| net | view | photos | Orilla | INTER_LINEAR |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {r['net']} | {r['view']} | {r['photos']} | {r['own']:.1%} | {r['linear']:.1%} |"
        for r in document["agreement"]
    ]
    described = document["machine"]
    lines += [
        "",
        f"{described['processor']}, {described['usable_cpus']} CPUs, {described['system']}, {described['date']}; ",
    ]
    lines[-1] += f"OpenCV {cv2.__version__}, numpy {np.__version__}; load {document['load'][0]}."
    if document["load"][0] > described["usable_cpus"]:
        lines[-1] += " More load than CPUs: only the cpu column counts, and others' use of the cache raises it."
    return "\n".join(lines) + "\n"


def measured_ways() -> list[dict[str, Any]]:
    cost = threads_measured(WAYS, frame(FRAME), ROUNDS)
    return [{"way": name, **summary(errors(way)), "cost": cost[name]} for name, way in WAYS.items()]


def measured_sizes() -> list[dict[str, Any]]:
    rows = []
    for name, source in SOURCES.items():
        own = rows_of_groups(source)
        rounds = ROUNDS if source[0] < 2000 else ROUNDS // 5
        cost = threads_measured({"area": area, "own": own}, frame(source), rounds)["own"]
        rows.append({"picture": name, **summary(errors(own, source)), "cost": cost})
    return rows


def main() -> None:
    document = {
        "benchmark": "downscaling",
        "machine": machine(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "ways": measured_ways(),
        "sizes": measured_sizes(),
        "agreement": agreement(),
    }
    write(document)


def write(document: dict[str, Any]) -> None:
    (FOLDER / "downscaling.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    text = report(document)
    (FOLDER / "downscaling.md").write_text(text, encoding="utf-8")
    print(text)


def summary(found: dict[str, float]) -> dict[str, Any]:
    return {
        "mean_error": round(float(np.mean(list(found.values()))), 2),
        "largest_error": round(max(found.values()), 2),
        "errors": {name: round(value, 3) for name, value in found.items()},
    }


if __name__ == "__main__":
    main()
