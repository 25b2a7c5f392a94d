"""The trained nets of the benchmarks, as `.keras` files with a card: labels, and how a photo becomes the input."""

from __future__ import annotations

import os
from pathlib import Path

from orilla.converting import save_pretrained
from orilla_converters.worker import call

LITE0, MOBILENET = "efficientnet_lite0", "mobilenet_v1_0.25"


def write_net(name: str, path: Path) -> None:
    """Write `LITE0` or `MOBILENET` to `path`, in a process of its own."""
    if name == LITE0:
        save_pretrained(name, path)
        return
    let_workers_find_benchmarks()
    call("benchmarks.mobilenet:mobilenet_job", {"path": str(path)}, what=name)


def let_workers_find_benchmarks() -> None:
    """Jobs of this package run in workers, which look for it in `PYTHONPATH`."""
    places = [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(place for place in places if place))
