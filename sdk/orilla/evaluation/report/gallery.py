"""Pictures on the page: the worst mistakes, and where the net looked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.evaluate import Evaluation
from orilla.evaluation.judgement import Judgement, Mistake
from orilla_converters.report.pictures import thumbnail
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

SIDE = 160
QUALITY = 82
_GLOW = 0.55


def mistakes(judgement: Judgement, images: LabelledImages) -> str:
    """The worst mistakes as figures, the surest first; empty where there are none."""
    return "\n".join(_mistake(one, judgement.labels, images) for one in judgement.mistakes)


def _mistake(one: Mistake, labels: Sequence[str], images: LabelledImages) -> str:
    address, tiny = thumbnail(images.full_path(one.place))
    truth, predicted = escape(labels[one.truth]), escape(labels[one.predicted])
    mark = ' class="tiny"' if tiny else ""
    alt = f"{truth}, taken for {predicted}"
    picture = f'<img{mark} src="{address}" alt="{alt}" loading="lazy">' if address else "<p>cannot be read</p>"
    return (
        f'<figure><div>{picture}</div><figcaption><p>is <b class="good">{truth}</b> '
        f"<small>{one.truth_score:.3f}</small>"
        f'<br>taken for <b class="bad">{predicted}</b> <small>{one.score:.3f}</small></p>'
        f"<p><small>{escape(one.path)}</small></p></figcaption></figure>"
    )


def looked_at(evaluation: Evaluation, model: Path, most: int) -> str:
    """Grad-CAM of some mistakes and of some right pictures; empty for a net without maps, or with `most` 0."""
    judgement = evaluation.artifacts[evaluation.default].judgement
    places = chosen_places(judgement, most)
    if not places or evaluation.images is None:
        return ""
    from orilla.evaluation.gradcam import grad_cam
    from orilla.evaluation.keras_model import keras_card, load_keras

    card = keras_card(model)
    preprocessor = Preprocessor(card.preprocess)
    full_path = evaluation.images.full_path
    tensors = np.concatenate([preprocessor(read_picture(full_path(place))).copy() for place in places])
    predicted = judgement.answers.predicted[places]
    heat = grad_cam(load_keras(model), tensors, predicted)
    if heat is None:
        return ""
    red_first = card.preprocess.channels == "rgb"
    return "\n".join(
        _pair(_bgr(tensor, red_first), heat[index], judgement, places[index]) for index, tensor in enumerate(tensors)
    )


def chosen_places(judgement: Judgement, most: int) -> list[int]:
    """Up to half of them mistakes, the others right pictures of as many classes as possible, the surest of each."""
    wrong = [one.place for one in judgement.mistakes[: most // 2]]
    answers = judgement.answers
    score = answers.scores.max(axis=1)
    right = np.flatnonzero(answers.predicted == answers.truth)
    ranked = right[np.lexsort((right, -score[right]))]
    by_class: dict[int, list[int]] = {}
    for place in ranked.tolist():
        by_class.setdefault(int(answers.truth[place]), []).append(place)
    rounds = (members[turn] for turn in range(most) for members in by_class.values() if turn < len(members))
    return wrong + [place for place, _ in zip(rounds, range(most - len(wrong)), strict=False)]


def _pair(picture: NDArray[np.uint8], heat: NDArray[np.float32], judgement: Judgement, place: int) -> str:
    """The picture as the net gets it, and again under the heat."""
    large = _enlarged(picture)
    warm = cv2.resize(heat, large.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    glow = cv2.applyColorMap((warm * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    mixed = (large * (1 - _GLOW) + glow * _GLOW).astype(np.uint8)
    data = cv2.imencode(".jpg", np.hstack([large, mixed]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    address = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    labels, answers = judgement.labels, judgement.answers
    truth, predicted = labels[int(answers.truth[place])], labels[int(answers.predicted[place])]
    says = f"says {escape(predicted)}" + ("" if truth == predicted else f', is <b class="bad">{escape(truth)}</b>')
    alt = f"{truth}: the picture, and what spoke for {predicted}"
    return (
        f'<figure class="pair"><img src="{address}" alt="{escape(alt)}" loading="lazy">'
        f"<figcaption>{says}<br><small>{escape(answers.paths[place])}</small></figcaption></figure>"
    )


def _bgr(tensor: NDArray[np.uint8], red_first: bool) -> NDArray[np.uint8]:
    if tensor.shape[2] == 1:
        return np.repeat(tensor, 3, axis=2)
    return tensor[..., ::-1] if red_first else tensor


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = SIDE / max(picture.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale > 2 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=way).astype(np.uint8, copy=False)
