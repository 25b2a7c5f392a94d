"""A loaded model: an artifact with its session, the way from a picture to its input, and the task that reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.mark import is_bundle
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import UsageError
from orilla_runtime.loading import Opened
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.records import replace
from orilla_runtime.tasks.classification import ClassificationTask
from orilla_runtime.timing import Timing

if TYPE_CHECKING:
    from orilla_runtime.bundle.reader import Bundle
    from orilla_runtime.tasks.raw import RawTask

TASKS = ("classification", "raw")
MEASURE = ("never", "once", "anew")


class Model:
    """What `load` returns.

    Threads: every method is for any thread. Calls run one after the other, each on all the threads of its engine, and
    give what they give in one thread; `replica` makes a model that runs beside this one. A call cannot be broken off.

    Buffers: a picture is read during the call, not changed and not kept. A result holds nothing of the model's
    buffers: it is the caller's, and no later call changes it.

    Cost of a call: the engine's `invoke`, and what makes a frame its input (of a large one, shrinking is most of it).
    The first calls are slower, so make one before it counts. The input's buffer is made once and used again.

    Attributes:
        path: the file that was loaded.
        artifact: the artifact's path in the bundle, or the bare model's file name.
        bundle, bundle_id: the open bundle and its id; None for a bare model.
        format, precision: of the artifact (`tflite`, `int8`); a bare model has no precision.
        engine: what runs it, `litert/cpu`.
        threads: of the session's engine; None where another device than the CPU computes.
        why: why that engine and number of threads were taken, in one line.
        labels: class names in class order; empty for the raw task.
        preprocess: how a picture becomes the input tensor; None where the caller gives the tensors.
        task, session: what decodes the outputs, and what runs the artifact.
    """

    def __init__(self, opened: Opened, *, owns_bundle: bool = True) -> None:
        self.path: Path = opened.path
        self.artifact: str = opened.artifact
        self.bundle: Bundle | None = opened.bundle
        self.bundle_id: str | None = opened.bundle.id if opened.bundle else None
        self.format: str = opened.format
        self.precision: str | None = opened.precision
        self.session: Session = opened.session
        self.engine: str = f"{opened.engine}/{opened.session.device}"
        self.threads: int | None = (opened.session_threads or usable_cpus()) if opened.session.device == "cpu" else None
        self.why: str = opened.why
        self.task: ClassificationTask | RawTask = opened.task
        self.preprocess: Preprocess | None = opened.preprocess
        self._opened = opened
        self._owns_bundle = owns_bundle
        self._preprocessor = Preprocessor(opened.preprocess) if opened.preprocess else None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in class order."""
        return self.task.labels if isinstance(self.task, ClassificationTask) else ()

    def __call__(self, /, *inputs: NDArray[Any], **named: NDArray[Any]) -> Any:
        """One picture (uint8, BGR, height x width x 3) to a `Classification`, or to `RawOutputs` of a raw bundle.

        Where `preprocess` is None, the input tensors in the session's order, or by their names, to `RawOutputs`.

        Raises:
            SourceError: not a uint8 picture.
            UsageError: wrong tensors or names, or the model was closed.
            ModelError: the engine failed, or the scores are not finite.
        """
        return self.process(*inputs, **named)[0]

    def process(self, /, *inputs: NDArray[Any], **named: NDArray[Any]) -> tuple[Any, Timing]:
        """As a call, with what each step cost; `decode` is 0, since the picture is there already."""
        with self._lock:
            self._require_open()
            start = time.perf_counter_ns()
            tensors = self._tensors(inputs, named)
            prepared = time.perf_counter_ns()
            outputs = self.session.run(*tensors)
            inferred = time.perf_counter_ns()
            result = self.task.decode(outputs, self.session.outputs)
            done = time.perf_counter_ns()
        return result, Timing(0.0, (prepared - start) / 1e6, (inferred - prepared) / 1e6, (done - inferred) / 1e6)

    def scores(self, tensor: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities of one prepared input tensor (batch of one), float32 [classes].

        Raises:
            UsageError: a tensor of another shape or dtype, a model without classes, or one that was closed.
        """
        with self._lock:
            self._require_open()
            if not isinstance(self.task, ClassificationTask):
                raise UsageError(f"{self.path.name} has the task raw and no class scores.")
            return self.task.scores(self.session.run(tensor), self.session.outputs)

    @property
    def cpu_threads(self) -> int | None:
        """CPU threads that the caller allowed it, by default every usable CPU; None where another device computes."""
        if self.session.device != "cpu":
            return None
        return self._opened.threads or usable_cpus()

    def replica(self, threads: int = 1) -> Model:
        """The same model again, with a session and buffers of its own, for another thread: calls run side by side.

        It costs the memory of a session, and the time to prepare it. Close it before this model.

        Raises:
            UsageError: the model was closed.
            ModelError, EngineError, BundleError: as `load`.
        """
        with self._lock:
            self._require_open()
        again = replace(self._opened, session=self._opened.again(threads), session_threads=threads)
        return Model(again, owns_bundle=False)

    def _tensors(self, inputs: tuple[NDArray[Any], ...], named: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
        if self._preprocessor is None:
            return self._in_order(inputs, named)
        if len(inputs) != 1 or named:
            raise UsageError(f"The model takes one picture at a time, not {len(inputs)}.", "Call it for each picture.")
        return (self._preprocessor(inputs[0]),)

    def _in_order(
        self, inputs: tuple[NDArray[Any], ...], named: Mapping[str, NDArray[Any]]
    ) -> tuple[NDArray[Any], ...]:
        """The tensors as the session takes them; pictures alone would be run as the wrong input without a word."""
        if not named:
            return inputs
        names = [spec.name for spec in self.session.inputs]
        if inputs or set(named) != set(names):
            raise UsageError(f"{self.path.name} takes {', '.join(names)}.", "Give each of them once, all by name.")
        return tuple(named[name] for name in names)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self.path.name} was closed.", "Load the model again.")

    def close(self) -> None:
        """Release the engine and the file; may be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self.session.close()
                if self.bundle is not None and self._owns_bundle:
                    self.bundle.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def load(
    path: str | Path,
    *,
    artifact: str | None = None,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    measure: str = "never",
    top: int = 5,
    task: str | None = None,
    expected_id: str | None = None,
    signature: str | None = None,
    labels: str | Path | Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: str | None = None,
    label_offset: int | None = None,
    output: str | None = None,
    fit: str | None = None,
    crop_fraction: float | None = None,
) -> Model:
    """Open a bundle, or a bare `.tflite` or `.onnx` model.

    Do it once and keep what comes back: it costs the import of an engine and the preparation of its graph, tens of
    milliseconds to seconds. It may be called in any thread. It sets up no logging, writes no environment and starts no
    thread of its own; engines start theirs.

    Args:
        path: of the file; what it is, its content says.
        artifact: of a bundle: a path, a file name or `format:precision`; by default the bundle's for an engine that
            works here.
        engine: `litert`, `onnxruntime`, `openvino`, another that is installed, or `auto`: the fastest of those that
            were measured on this machine, with the fastest number of threads; else the first that works.
        device: `auto`, or a device of the engine; one that is named and not there is an error.
        threads: by default as measured, else every CPU that this process may use; never more than these.
        measure: `never` takes what was measured here before, if anything was (`orilla benchmark` does, and `orilla run`
            before a long run); `once` measures where nothing was, `anew` in any case: some seconds, remembered.
        top: how many classes a result holds, 1 or more.
        task: `classification` (what is tried by default for a bare model) or `raw`: tensors in, tensors out.
        expected_id: of a bundle: its id, as noted when it was made.
        signature: of a bare TFLite file with several.
        labels, mean, std, channels, label_offset, output, fit, crop_fraction: of a bare model, where the file does
            not say them itself: see `FitOptions`.

    Raises:
        BundleError: not exactly what Orilla wrote; `fault` names it.
        ModelError: a file that no engine opens, or that no task fits, or that does not say what it needs.
        EngineError: no engine works here, or not the device that was asked for.
        UsageError: options that do not fit together.
    """
    path = Path(path)
    if task is not None and task not in TASKS:
        raise UsageError(f"task={task!r} is not known.", f"Use {' or '.join(TASKS)}.")
    if measure not in MEASURE:
        raise UsageError(f"measure={measure!r} is not known.", f"Use {', '.join(MEASURE)}.")
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise UsageError(f"top={top!r} is not possible.", "Give 1 or more.")
    options = EngineOptions(device=device, threads=_granted(threads), signature=signature)
    said = {
        "labels": labels,
        "mean": mean,
        "std": std,
        "channels": channels,
        "label_offset": label_offset,
        "output": output,
        "fit": fit,
        "crop_fraction": crop_fraction,
    }
    # Each kind of file imports its own readers: that is a part of the time to the first result.
    if is_bundle(path):
        from orilla_runtime.loading_bundle import open_bundled

        given = [f"--{name.replace('_', '-')}" for name, value in said.items() if value is not None]
        given += ["signature"] if signature is not None else []
        if given:
            raise UsageError(f"{path.name} says these itself: {', '.join(given)}.", "Leave them out for a bundle.")
        return Model(
            open_bundled(path, artifact, engine, options, measure, top=top, wanted_task=task, expected_id=expected_id)
        )
    from orilla_runtime.loading_file import open_bare
    from orilla_runtime.tasks.fitting import FitOptions

    for name, value in (("artifact", artifact), ("expected_id", expected_id)):
        if value is not None:
            raise UsageError(f"{path.name} is no bundle, so {name} has no meaning.", "Leave it out, or give a bundle.")
    fitting = None if task == "raw" else FitOptions(**said)  # type: ignore[arg-type]
    return Model(open_bare(path, engine, options, measure, fitting, top=top))


def _granted(threads: int | None) -> int | None:
    """No more than the CPUs that the process may use: further threads would only wait for one another."""
    if type(threads) is not int or threads <= usable_cpus():
        return threads
    import logging

    logging.getLogger(__name__).warning("%d threads were asked for; %d CPUs may be used.", threads, usable_cpus())
    return usable_cpus()
