"""What the pictures can and cannot teach: their parts, the names of the classes, and how much each counts."""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

from orilla.data.split import Places, Split, places_of, split_images
from orilla.models.recipe import ClassWeights
from orilla.training.plan import Wishes
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages

_DOMINANT = 0.6


def label_names(images: LabelledImages) -> tuple[str, ...]:
    """The names of the classes in their order; numbers where only ids are known."""
    assert images.class_ids is not None
    return images.classes or tuple(str(class_id) for class_id in range(int(images.class_ids.max()) + 1))


def parts_of(images: LabelledImages, wishes: Wishes) -> tuple[Split, Places]:
    """The parts that a file says, or those that the seed, the shares and the groups make.

    Raises:
        UsageError: groups that make a split impossible. DataError: a file with the split of other pictures.
    """
    if wishes.split is not None:
        split = Split.read(wishes.split, images)
        return split, places_of(split, images)
    return split_images(images, wishes.seed, validation=wishes.validation, test=wishes.test, group=wishes.group)


def check_parts(images: LabelledImages, places: Places, labels: tuple[str, ...]) -> list[str]:
    """Notes on classes that the parts cannot do justice to.

    Raises:
        DataError: nothing to choose or to judge the model by, or a name that cannot be written down.
    """
    assert images.class_ids is not None
    counts = np.bincount(images.class_ids, minlength=len(labels))
    untaught = np.setdiff1d(images.class_ids, images.class_ids[places.train])
    if len(untaught):
        raise DataError(
            f"{images.root}: no picture of {labels[untaught[0]]} is in the training part of the split.",
            "Mark some of its pictures as train, or leave the class out.",
        )
    if not (len(places.validation) and len(places.test)):
        if len(images) >= 3 * len(labels):
            raise DataError(
                f"{images.root}: the split leaves no picture for validation, or none for the test.",
                "Mark some pictures as validation and some as test.",
            )
        raise DataError(
            f"{images.root}: {len(images)} pictures of {len(labels)} classes are too few to judge a model by.",
            "Give at least 3 pictures for a class; dozens for a good model.",
        )
    for label in labels:
        if not label.strip() or any(unicodedata.category(letter) == "Cc" for letter in label):
            raise DataError(
                f"{images.root}: the class {label!r} has a name that no bundle can hold.",
                "Rename its folder, or its label in the table.",
            )
    for path in images.paths:
        if not _is_text(path.as_posix()):
            raise DataError(f"{path!r}: the name of the file is no text.", "Rename it.")
    notes = []
    alone = [labels[class_id] for class_id in np.flatnonzero(counts == 1)]
    if alone:
        named = ", ".join(alone[:3]) + (", …" if len(alone) > 3 else "")
        notes.append(f"Only one picture of {named}: it is trained on, and the class is never tested. Add pictures.")
    if counts.max() > _DOMINANT * len(images):
        share = counts.max() / len(images)
        notes.append(
            f"{share:.0%} of the pictures are {labels[int(counts.argmax())]}: accuracy hides the other classes."
        )
    return notes


def class_weights(
    class_ids: NDArray[np.int64], part: NDArray[np.int64], how: ClassWeights
) -> NDArray[np.float32] | None:
    """How much a picture of each class counts in a part: the same for all, or so that each class counts alike.

    The mean over the part is 1, so the size of the loss stays what it is; a class without a picture there counts 0.
    """
    if how == "none":
        return None
    counts = np.bincount(class_ids[part], minlength=int(class_ids.max()) + 1)
    present = np.count_nonzero(counts)
    return np.where(counts > 0, len(part) / (present * np.maximum(counts, 1)), 0).astype(np.float32)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
