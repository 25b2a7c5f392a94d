"""What single files tell: unreadable, blank, of an odd size or an odd kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from orilla.data.checking.findings import Finding, Severity, count, each, pictures
from orilla.data.checking.survey import Survey
from orilla.data.checking.traits import Trait
from orilla_runtime.labelled import LabelledImages

_Named = Callable[[NDArray[np.int64]], tuple[tuple[str, ...], ...]]

_TINY = 8
_HUGE = 20_000_000
_LONG = 4

_ODD: tuple[tuple[Trait, str, Severity, str], ...] = (
    (Trait.CMYK, "cmyk", "warning", "stored in printing inks (CMYK); colours may look off. Save them as RGB."),
    (Trait.ALPHA, "alpha", "note", "with transparency; what lies under it is shown. See that it is no garbage."),
    (Trait.DEEP, "deep", "note", "with more than 8 bits a channel; they are scaled to 8."),
    (Trait.PALETTE, "palette", "note", "with a palette of at most 256 colours; gradients may show steps."),
    (Trait.TURNED, "turned", "note", "stored turned or mirrored; EXIF says how, and Orilla shows them upright."),
    (Trait.SEVERAL, "several", "warning", "animated or of several pages; only the first picture of each is used."),
    (Trait.MISNAMED, "misnamed", "note", "of another format than the name says; the content decides."),
)


def file_findings(images: LabelledImages, seen: Survey, image_size: int | None) -> Iterator[Finding]:
    """The findings about files, one by one."""
    names = [path.as_posix() for path in images.paths]

    def named(places: NDArray[np.int64]) -> tuple[tuple[str, ...], ...]:
        return each([names[place] for place in places])

    if seen.unreadable:
        text = f"{pictures(len(seen.unreadable))} cannot be read. Repair or remove them: training refuses them."
        broken = each([names[place] for place in seen.unreadable])
        yield Finding("error", "unreadable", text, broken, tuple(seen.unreadable.values()))
    if len(blank := seen.having(Trait.BLANK)):
        text = f"{pictures(len(blank))} of almost one colour, covered or unlit perhaps. Remove what shows nothing."
        yield Finding("warning", "blank", text, named(blank))
    for code, severity, places, text in _odd_sizes(seen, image_size):
        yield Finding(severity, code, f"{pictures(len(places))} {text}", named(places))
    yield from _odd_kinds(seen, named)


def _odd_sizes(seen: Survey, image_size: int | None) -> Iterator[tuple[str, Severity, NDArray[np.int64], str]]:
    readable = seen.readable
    width, height = seen.sizes[readable].astype(np.int64).T
    short, long = np.minimum(width, height), np.maximum(width, height)
    if (tiny := short < _TINY).any():
        yield "tiny", "warning", readable[tiny], f"with a side below {_TINY} pixels. Remove what shows nothing."
    if (huge := width * height > _HUGE).any():
        text = f"of more than {_HUGE // 1_000_000} megapixels. Smaller copies make training faster, not worse."
        yield "huge", "note", readable[huge], text
    if (strips := long > _LONG * short).any():
        text = f"more than {_LONG} times as long as wide. Squeezed into a square they change; try --fit letterbox."
        yield "elongated", "warning" if strips.mean() < 0.5 else "note", readable[strips], text
    if image_size is not None and (small := (short * 2 < image_size) & ~tiny).any():
        text = f"less than half as large as the model's input of {image_size} pixels. A smaller --image-size does."
        yield "small", "warning", readable[small], text


def _odd_kinds(seen: Survey, named: _Named) -> Iterator[Finding]:
    for trait, code, severity, text in _ODD:
        if len(places := seen.having(trait)):
            yield Finding(severity, code, f"{pictures(len(places))} {text}", named(places))
    grey = seen.having(Trait.GREY)
    coloured = len(seen.readable) - len(grey)
    if len(grey) and coloured:
        few, kind = (grey, "grey") if len(grey) <= coloured else (np.setdiff1d(seen.readable, grey), "coloured")
        text = (
            f"{count(len(few), f'{kind} picture', f'{kind} pictures')} among {len(seen.readable):,}. "
            "If one class has most of them, a model learns the camera in place of the thing: mix them, or train grey."
        )
        yield Finding("note", "grey_and_colour", text, named(few))
