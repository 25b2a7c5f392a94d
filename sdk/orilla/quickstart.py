"""The quickstart: the whole way on real handwritten digits, in a few minutes and without a download.

pictures → training → conversion → proof → files and a video through the runtime → one table and one page.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla.evaluation.report.quickstart import QuickstartResult, Row, render
from orilla_runtime.errors import UsageError

if TYPE_CHECKING:
    from orilla.training.progress import Progress as TrainProgress
    from orilla_converters.progress import Progress as ConvertProgress

IMAGE_SIZE = 16
ANNOTATED_PICTURES = 24
VIDEO_DIGITS = 12
MARKER = ".orilla-quickstart"


def quickstart(
    folder: str | Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
    train_display: Callable[[], AbstractContextManager[TrainProgress | None]] = nullcontext,
    convert_display: Callable[[], AbstractContextManager[ConvertProgress | None]] = nullcontext,
) -> QuickstartResult:
    """Train, convert, prove and run a digit classifier in `folder`.

    A folder that an earlier quickstart made is emptied first; any other folder must be empty or missing. `say` gets a
    line when a step is done; the displays are opened around training and conversion and yield their `progress`.

    Raises:
        UsageError: the folder holds something else.
    """
    import orilla
    from orilla.data.digits import write_digits, write_video
    from orilla_converters.keras_card import read_card
    from orilla_converters.latency import measure_latency

    say = say or _silent
    root = _empty_folder(Path(folder))
    model, bundle = root / "digits.keras", root / "digits.orilla"

    count = write_digits(root / "digits")
    say(f"1/5  {count} handwritten digits in {root / 'digits'}")
    with train_display() as progress:
        trained = orilla.train(root / "digits", output=model, image_size=IMAGE_SIZE, seed=seed, progress=progress)
    say(f"2/5  trained {model.name}: {trained.summary}")
    with convert_display() as told:
        page = root / "conversion.html"
        orilla.convert(model, data=root / "digits", output=bundle, seed=seed, jobs=2, report=page, progress=told)
    say(f"3/5  {bundle.name}: every artifact proved against the Keras model on pictures it never saw")
    card = read_card(model)
    assert card is not None
    held_out = [root / "digits" / path for path in card.training["split"]["test"]]
    keras_ms, artifact_ms = measure_latency(model, bundle, held_out[0])
    say("4/5  measured, in interleaved rounds, against a tf.function of the Keras model")
    write_video(_spread(held_out, VIDEO_DIGITS), root / "digits.avi")
    result = _summary(root, bundle, keras_ms, artifact_ms)
    _run_on_files(bundle, held_out, result)
    say(f"5/5  ran {len(held_out)} held-out pictures and a video of {VIDEO_DIGITS} digits through the runtime")
    _write_report(result, held_out)
    return result


def _silent(_line: str) -> None:
    """Says nothing."""


def _empty_folder(root: Path) -> Path:
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file.", "Give the name of a folder.")
    if root.is_dir() and any(root.iterdir()):
        if not (root / MARKER).is_file():
            raise UsageError(f"{root} is not empty.", "Give another folder: the quickstart deletes nothing of yours.")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text("This folder was made by `orilla quickstart`, which empties it when it runs again.\n")
    return root


def _spread(pictures: list[Path], count: int) -> list[Path]:
    """Some of the pictures, of all classes: they stand class by class."""
    return [pictures[index * len(pictures) // count] for index in range(count)]


def _summary(root: Path, bundle: Path, keras_ms: float, artifact_ms: dict[str, float]) -> QuickstartResult:
    from orilla_runtime.bundle.reader import open_bundle

    with open_bundle(bundle) as opened:
        manifest = opened.classifier
    sizes = {entry.path: entry.bytes for entry in manifest.files}
    rows = []
    for artifact in manifest.artifacts:
        assert artifact.metrics is not None
        assert artifact.metrics.accuracy is not None
        spent = artifact_ms[artifact.path]
        rows.append(
            Row(
                artifact=artifact.path,
                bytes=sizes[artifact.path],
                accuracy=artifact.metrics.accuracy,
                agreement=artifact.metrics.agreement,
                milliseconds=spent,
                speedup=keras_ms / spent,
            )
        )
    return QuickstartResult(
        rows=tuple(rows),
        keras_milliseconds=keras_ms,
        bundle=bundle,
        report=root / "report.html",
        conversion=root / "conversion.html",
        results=root / "results.jsonl",
        annotated=root / "annotated",
        video=root / "annotated.avi",
    )


def _run_on_files(bundle: Path, held_out: list[Path], result: QuickstartResult) -> None:
    """The device's part: the same loop that `orilla run` is."""
    from orilla_runtime.model import load
    from orilla_runtime.pipeline import Pipeline
    from orilla_runtime.sinks.annotated import AnnotatedSink
    from orilla_runtime.sinks.jsonl import JsonlSink
    from orilla_runtime.sources.registry import open_source

    def run(sources: list[Any], sinks: list[Any]) -> None:
        for _ in Pipeline(model, [open_source(source) for source in sources], sinks):
            pass

    with load(bundle) as model:
        run(list(held_out), [JsonlSink(result.results)])
        run(list(_spread(held_out, ANNOTATED_PICTURES)), [AnnotatedSink(result.annotated)])
        run([bundle.parent / "digits.avi"], [AnnotatedSink(result.video)])


def _write_report(result: QuickstartResult, held_out: list[Path]) -> None:
    from orilla_runtime.files import replaced

    found = [json.loads(line) for line in result.results.read_text(encoding="utf-8").splitlines()]
    with replaced(result.report) as part:
        part.write_text(render(result, held_out, found), encoding="utf-8")
