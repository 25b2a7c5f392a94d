"""Ways to shrink a 1280x720 frame to 224x224: how far from the true mean of the covered pixels, and at what cost.

Pictures: a zone plate, and stripes of 1 to 3 pixels in three directions. Costs are medians of interleaved rounds, as
ratios to INTER_AREA.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (224, 224)
ROUNDS = 60
Image = NDArray[Any]


def area(image: Image) -> Image:
    return cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)


def linear(image: Image) -> Image:
    return cv2.resize(image, SIZE, interpolation=cv2.INTER_LINEAR)


def halved(image: Image) -> Image:
    while image.shape[0] >= 2 * SIZE[0] and image.shape[1] >= 2 * SIZE[1]:
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return image


def halving_then_linear(image: Image) -> Image:
    return linear(halved(image))


def halving_then_area(image: Image) -> Image:
    return area(halved(image))


def linear_to_double_then_halve(image: Image) -> Image:
    return area(cv2.resize(image, (2 * SIZE[0], 2 * SIZE[1]), interpolation=cv2.INTER_LINEAR))


def linear_to_fourfold_then_halve_twice(image: Image) -> Image:
    image = cv2.resize(image, (4 * SIZE[0], 4 * SIZE[1]), interpolation=cv2.INTER_LINEAR)
    return area(cv2.resize(image, (2 * SIZE[0], 2 * SIZE[1]), interpolation=cv2.INTER_AREA))


WAYS: tuple[Callable[[Image], Image], ...] = (
    area,
    linear,
    halving_then_linear,
    halving_then_area,
    linear_to_double_then_halve,
    linear_to_fourfold_then_halve_twice,
)


def patterns() -> list[Image]:
    rows, columns = np.mgrid[0:720, 0:1280].astype(np.float64)
    plate = 127.5 + 127.5 * np.cos(((columns - 640) ** 2 + (rows - 360) ** 2) * np.pi / 1280)
    stripes = [((along // width) % 2) * 255 for width in (1, 2, 3) for along in (columns, rows, columns + rows)]
    return [cv2.cvtColor(pattern.astype(np.uint8), cv2.COLOR_GRAY2BGR) for pattern in (plate, *stripes)]


def costs() -> dict[str, float]:
    frame = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    times: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            start = time.perf_counter()
            way(frame)
            times[way.__name__].append(time.perf_counter() - start)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    return {name: median / medians["area"] for name, median in medians.items()}


def main() -> None:
    cost = costs()
    rows = []
    for way in WAYS:
        errors = [float(np.abs(way(p).astype(int) - area(p).astype(int)).mean()) for p in patterns()]
        rows.append(
            {
                "way": way.__name__.replace("_", " "),
                "mean_error": round(float(np.mean(errors)), 1),
                "largest_error": round(max(errors), 1),
                "cost": round(cost[way.__name__], 2),
            }
        )
    folder = Path(__file__).parent / "results"
    (folder / "downscaling.json").write_text(json.dumps({"ways": rows}, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Downscaling 1280x720 to 224x224",
        "",
        "Errors in levels of 255 against INTER_AREA; cost as a ratio to it.",
        "",
    ]
    lines += ["| way | mean error | largest error | cost |", "| --- | --- | --- | --- |"]
    lines += [f"| {r['way']} | {r['mean_error']} | {r['largest_error']} | {r['cost']} |" for r in rows]
    text = "\n".join(lines) + "\n"
    (folder / "downscaling.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
