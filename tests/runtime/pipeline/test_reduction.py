"""Decoding at a part of the size: only as far as the model needs no more, and only where the labels agree."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.pipeline import Pipeline
from orilla_runtime.pipeline.reduction import Reduced, Reduction
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.sinks.base import Timing
from orilla_runtime.sources.base import Failure, Frame, Image, Pending, Shrink
from orilla_runtime.sources.images import ImagesSource, PictureFile
from orilla_runtime.tasks.classification import Classification, Prediction
from tests.runtime.pipeline.stage import Clip, Shows, frame


class Folder(Clip):
    """Pictures that are 1 when they are reduced and 0 when they are not, but for those that are told to differ."""

    def __init__(self, count: int, *, differing: frozenset[int] = frozenset(), small: frozenset[int] = frozenset()):
        super().__init__([])
        self.count, self.differing, self.small = count, differing, small

    def pending(self) -> Iterator[Pending]:
        for number in range(self.count):
            yield Drawn(number, number in self.differing, 100 if number in self.small else 500)


class Drawn:
    def __init__(self, number: int, differs: bool, side: int) -> None:
        self.number, self.differs, self.side = number, differs, side

    def decode(self, shrink: Shrink | None = None) -> Frame | Failure:
        part = shrink(self.side, self.side) if shrink else 1
        shown = frame(200 if part > 1 and self.differs else 100)
        return Frame(shown.image, self.number, f"{self.number}", None, 0, shown.captured_at, reduction=part)


class Classifies(Shows):
    preprocess = Preprocess((224, 224))

    def process(self, image: Image) -> tuple[Classification, Timing]:
        number, timing = super().process(image)
        return Classification((Prediction(str(number), number, 1.0),)), timing


def reduced(folder: Folder, decode: str = "auto") -> tuple[list[int], Reduced]:
    pipeline = Pipeline(Classifies(cpu_threads=3), folder, decode=decode)  # type: ignore[arg-type]
    return [record.frame.index for record in pipeline if record.frame and record.frame.reduction > 1], pipeline.reduced


def test_where_the_labels_agree_the_rest_is_reduced() -> None:
    numbers, summary = reduced(Folder(1200))
    assert numbers == [*range(100, 1000), *range(1020, 1200)]
    assert summary == Reduced(1080, 120, 120)


def test_where_they_do_not_nothing_is_reduced_and_the_whole_pictures_count() -> None:
    folder = Folder(300, differing=frozenset(range(0, 300, 10)))
    pipeline = Pipeline(Classifies(cpu_threads=2), folder, decode="auto")
    assert {record.result.top.class_id for record in pipeline} == {100}
    assert pipeline.reduced == Reduced(0, 100, 90)


def test_one_picture_in_a_hundred_may_differ() -> None:
    assert reduced(Folder(110, differing=frozenset({7})))[1] == Reduced(10, 100, 99)
    assert reduced(Folder(110, differing=frozenset({7, 8})))[1] == Reduced(0, 100, 98)


def test_a_folder_whose_later_pictures_differ_goes_back_to_whole_ones() -> None:
    numbers, summary = reduced(Folder(1100, differing=frozenset(range(1000, 1100))))
    assert numbers == list(range(100, 1000))
    assert summary == Reduced(900, 120, 100)


def test_too_few_comparisons_decide_nothing() -> None:
    numbers, summary = reduced(Folder(150, small=frozenset(range(60))))
    assert (numbers, summary) == ([], Reduced(0, 40, 40))


def test_by_request_everything_is_reduced_and_by_default_nothing() -> None:
    assert reduced(Folder(30, differing=frozenset({2})), "reduced")[1] == Reduced(30, 0, 0)
    assert reduced(Folder(30), "full") == ([], Reduced())


def test_videos_between_the_pictures_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [Folder(60), Clip(map(frame, range(80))), Folder(60)]
    pipeline = Pipeline(Classifies(cpu_threads=2), sources, decode="auto")
    assert pipeline.run().processed == 200
    assert pipeline.reduced == Reduced(20, 100, 100)


def test_a_stop_in_the_middle_of_the_comparisons_leaves_no_worker_waiting() -> None:
    pipeline = Pipeline(Classifies(cpu_threads=3), Folder(200), decode="auto")
    for _ in range(98):
        next(pipeline)
    pipeline.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("orilla worker")]


@pytest.mark.parametrize(
    ("preprocess", "size", "part"),
    [
        (Preprocess((224, 224)), (720, 1280), 2),
        (Preprocess((224, 224)), (447, 1280), 1),
        (Preprocess((224, 224)), (448, 448), 2),
        (Preprocess((96, 96)), (720, 1280), 4),
        (Preprocess((32, 32)), (3000, 4000), 8),
        (Preprocess((224, 224), fit="crop"), (500, 5000), 2),
        (Preprocess((224, 224), fit="crop", crop_fraction=0.875), (500, 5000), 1),
        (Preprocess((224, 224), fit="letterbox"), (50, 500), 2),
        (Preprocess((300, 200)), (600, 399), 1),
    ],
)
def test_the_part_keeps_at_least_the_tensors_size(preprocess: Preprocess, size: tuple[int, int], part: int) -> None:
    assert Reduction(preprocess, always=True).part(*size) == part


def test_a_jpeg_is_decoded_at_a_part_of_its_size_and_a_png_is_not(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:480, 0:640]
    image = np.stack([rows // 2 % 256, columns // 3 % 256, (rows + columns) // 5 % 256], axis=2).astype(np.uint8)
    for name in ("a.jpg", "b.png"):
        cv2.imwrite(str(tmp_path / name), image)
    jpeg, png = (PictureFile(str(tmp_path / name), 0).decode(lambda *_: 4) for name in ("a.jpg", "b.png"))
    assert isinstance(jpeg, Frame)
    assert isinstance(png, Frame)
    assert (jpeg.image.shape, jpeg.reduction) == ((120, 160, 3), 4)
    assert (png.image.shape, png.reduction) == ((480, 640, 3), 1)
    small = cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(jpeg.image.astype(int) - small).mean() < 4
    whole = PictureFile(str(tmp_path / "a.jpg"), 0).decode()
    assert isinstance(whole, Frame)
    assert (whole.image.shape, whole.reduction) == ((480, 640, 3), 1)


def test_a_picture_that_exif_turns_keeps_enough_on_both_sides(unzipped: object) -> None:
    folder = unzipped("odd_images.zip") / "files"  # type: ignore[operator]
    (path,) = [path for path in folder.iterdir() if "exif" in path.name and "6" in path.name]
    asked: list[tuple[int, int]] = []

    def shrink(rows: int, columns: int) -> int:
        asked.append((rows, columns))
        return 2 if rows < columns else 1

    turned = PictureFile(str(path), 0).decode(shrink)
    assert isinstance(turned, Frame)
    assert asked == [(asked[0][0], asked[0][1]), (asked[0][1], asked[0][0])]
    assert turned.reduction == 1


def test_a_real_folder_says_the_same_both_ways(shared_data: Path, tmp_path: Path, unzipped: object) -> None:
    from orilla_runtime.model import load

    photos = sorted((unzipped("imagenet_samples_256.zip") / "images").iterdir())[:12]  # type: ignore[operator]
    for photo in photos:
        image = cv2.imread(str(photo))
        assert image is not None
        cv2.imwrite(str(tmp_path / photo.name), cv2.resize(image, (1280, 720), interpolation=cv2.INTER_CUBIC))
    paths = sorted(tmp_path.iterdir())
    with load(shared_data / "models" / "tf2_mobilenet_v2_1.0_224_ptq.tflite", threads=2) as model:
        whole = [result.top.label for _, result in Pipeline(model, ImagesSource(paths, name="x"))]
        pipeline = Pipeline(model, ImagesSource(paths, name="x"), decode="reduced")
        assert [result.top.label for _, result in pipeline] == whole
        assert pipeline.reduced.pictures == 12
