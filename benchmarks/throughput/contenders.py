"""Ways to get a label for every picture of a folder or video; each gives the labels' class ids, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from orilla_runtime.model import Model
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sources.base import Frame
from orilla_runtime.sources.images import ImagesSource
from orilla_runtime.sources.video import VideoSource

Labels = list[int]
Input = list[Path] | Path


def frames(what: Input) -> Iterator[Frame]:
    """The pictures, one after another, read by the very code that a run uses."""
    source = ImagesSource(what, name="folder") if isinstance(what, list) else VideoSource(what)
    for item in source:
        assert isinstance(item, Frame), item
        yield item


def run(model: Model, what: Input, **options: Any) -> Labels:
    """A `Pipeline`."""
    source = ImagesSource(what, name="folder") if isinstance(what, list) else VideoSource(what)
    return [result.top.class_id for _, result in Pipeline(model, source, **options)]


def one_after_another(model: Model, what: Input) -> Labels:
    """Read, infer with every CPU, read, …: the loop that people write first."""
    return [model(frame.image).top.class_id for frame in frames(what)]


def hand_written(model: Model, what: Input, shrinking: int = cv2.INTER_LINEAR) -> Labels:
    """A thread reads into a queue, the other infers with every CPU: the loop that people write next.

    It takes OpenCV's reader, the bilinear resize that aliases and the bare interpreter, as such loops do: the same
    input tensor's shape and the same file, nothing of Orilla's. With INTER_AREA for `shrinking` it gives the labels
    that Orilla gives.
    """
    interpreter, task = model.session._interpreter, model.task  # type: ignore[attr-defined]
    read: queue.Queue[Any] = queue.Queue(maxsize=8)
    (port,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    height, width = port["shape"][1:3]

    def reader() -> None:
        if isinstance(what, list):
            for path in what:
                read.put(cv2.imread(str(path)))
        else:
            capture = cv2.VideoCapture(str(what))
            while (grabbed := capture.read())[0]:
                read.put(grabbed[1])
        read.put(None)

    thread = threading.Thread(target=reader)
    thread.start()
    labels = []
    while (image := read.get()) is not None:
        small = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=shrinking), cv2.COLOR_BGR2RGB)
        interpreter.set_tensor(port["index"], small[np.newaxis])
        interpreter.invoke()
        scores = interpreter.get_tensor(out["index"])[0]
        labels.append(int(np.argmax(scores)) - getattr(task, "label_offset", 0))
    thread.join()
    return labels


def work_alone(model: Model, what: Input, decode: Callable[[Path], Any] | None = None) -> Labels:
    """Decode, preprocess and infer in one thread: the work itself, whose CPU time sets the ceiling."""
    if decode is None or not isinstance(what, list):
        return one_after_another(model, what)
    return [model(decode(path)).top.class_id for path in what]
