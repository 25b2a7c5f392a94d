"""`run` with rules, smoothing and a region: what the command's options give, from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import orilla
from orilla_runtime.decisions import UNKNOWN
from orilla_runtime.errors import UsageError
from tests.runtime.pipeline.stage import Clip, Shows, frame


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


@pytest.fixture(scope="module")
def photo(unzipped: Callable[[str], Path]) -> Path:
    return unzipped("odd_images.zip") / "files" / "photo_ok.jpg"


def test_rules_decide_before_the_transforms_and_hold_two_classes(model: Path, photo: Path) -> None:
    seen = []

    def look(record: object) -> object:
        seen.append(record.result.decision.label)  # type: ignore[attr-defined]
        return record

    run = orilla.run(model, photo, rules=orilla.Rules(threshold=1.0), transforms=[look], top=1)  # type: ignore[list-item]
    ((_, result),) = run
    assert result.decision.label == UNKNOWN == seen[0]
    assert "below its threshold of 1" in result.decision.reason
    assert len(result.predictions) == 2
    ((_, sure),) = orilla.run(model, photo, rules=orilla.Rules(margin=0.0))
    assert sure.decision.label == sure.top.label


def test_smoothing_alone_decides_too(model: Path, photo: Path) -> None:
    ((_, result),) = orilla.run(model, photo, smoothing=3)
    assert result.decision.label == result.top.label
    ((_, plain),) = orilla.run(model, photo)
    assert plain.decision is None


def test_a_region_is_text_or_an_object(model: Path, photo: Path) -> None:
    whole, text, given = (
        next(iter(orilla.run(model, photo, region=region))).result
        for region in (None, "25%,25%,50%,50%", orilla.Region(0.25, 0.25, 0.5, 0.5, relative=True))
    )
    assert text == given != whole


def test_what_cannot_be_decided_is_refused(model: Path, photo: Path) -> None:
    with pytest.raises(UsageError, match="Only a classifier"):
        orilla.run(Shows(), Clip([frame(1)]), rules=orilla.Rules(0.5))
    with pytest.raises(UsageError, match="no label of the model"):
        orilla.run(model, photo, rules=orilla.Rules(thresholds={"scratch": 0.5}))
    with pytest.raises(UsageError, match="Smoothing over 0"):
        orilla.run(model, photo, smoothing=0)
    with pytest.raises(UsageError, match="no region"):
        orilla.run(model, photo, region="a,b")
