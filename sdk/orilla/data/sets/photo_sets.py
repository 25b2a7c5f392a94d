"""The sets of photos as their authors publish them: which files of an archive are pictures, and what they show."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orilla.data.sets.archives import members
from orilla.data.sets.unpacking import Picture
from orilla_runtime.errors import DataError

_FLOWERS = re.compile(r"(?:^|/)(daisy|dandelion|roses|sunflowers|tulips)/([\w.-]+\.jpe?g)$", re.ASCII | re.IGNORECASE)
_PETIMAGES = re.compile(r"(?:^|/)(cat|dog)/(\w+\.jpg)$", re.ASCII | re.IGNORECASE)
_BREED_PICTURE = re.compile(r"(?:^|/)(\w+)\.jpg$", re.ASCII)
_BREED_LINE = re.compile(r"^(([A-Za-z]\w*)_\d+) \d+ ([12]) \d+$", re.ASCII)
_LISTS = {"trainval.txt": "train", "test.txt": "test"}
_SPECIES = {"1": "cat", "2": "dog"}
_ENDINGS = ("", ".tar.gz", ".tgz", ".tar", ".zip")


def flower_pictures(source: Path) -> Iterator[Picture]:
    """`flower_photos.tgz` of the TensorFlow tutorials, or its folder: 3,670 photos of five flowers, without a split.

    Raises:
        DataError: while iterating: no such pictures, or a damaged archive.
    """
    return _by_folder(source, _FLOWERS, "flower_photos.tgz")


def cat_dog_pictures(source: Path) -> Iterator[Picture]:
    """Microsoft's `kagglecatsanddogs_5340.zip`, or the folder `PetImages`: 25,000 photos, without a split.

    Source: J. Elson et al., Asirra: A CAPTCHA that exploits interest-aligned manual image categorization, CCS 2007.

    Raises:
        DataError: while iterating: no such pictures, or a damaged archive.
    """
    return _by_folder(source, _PETIMAGES, "kagglecatsanddogs_5340.zip")


def _by_folder(source: Path, pattern: re.Pattern[str], published: str) -> Iterator[Picture]:
    seen: set[str] = set()
    for member in members(source):
        found = pattern.search(member.name)
        if found and not found[2].startswith("."):
            label = found[1].lower()
            yield Picture(_once(source, f"{label}/{found[2]}", seen), member.read(), label)
    if not seen:
        raise DataError(f"{source} does not hold the pictures of {published}.", f"Give {published}, or its folder.")


def pet_pictures(source: Path) -> Iterator[Picture]:
    """The Oxford-IIIT pets from the folder with `images.tar.gz` and `annotations.tar.gz`, or with both unpacked.

    The breed and the species stand in the lists of the annotations, which also say what trains and what tests.

    Source: O. M. Parkhi et al., Cats and Dogs, CVPR 2012.

    Raises:
        DataError: while iterating: one of the two is missing or damaged, or pictures and lists do not fit.
    """
    folder = source if source.is_dir() else source.parent
    annotations, images = _part(folder, "annotations"), _part(folder, "images")
    known = _breeds(annotations)
    seen: set[str] = set()
    for member in members(images):
        found = _BREED_PICTURE.search(member.name)
        pet = known.get(found[1]) if found else None
        if pet is not None and found is not None:
            path = _once(images, f"{pet.split}/{pet.breed}/{found[1]}.jpg", seen)
            yield Picture(path, member.read(), pet.breed, {"split": pet.split, "species": pet.species})
    if not seen:
        raise DataError(f"{images} holds none of the pictures that {annotations} lists.", "Get both again.")
    if len(seen) < len(known):
        logging.getLogger(__name__).warning(
            "%s: %d of the %d pictures that the lists name are not there.", images, len(known) - len(seen), len(known)
        )


@dataclass(frozen=True, slots=True)
class _Pet:
    breed: str
    species: str
    split: str


def _part(folder: Path, name: str) -> Path:
    paths = [folder / f"{name}{ending}" for ending in _ENDINGS]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        raise DataError(
            f"{folder} holds no {name}.tar.gz and no folder {name}.",
            "The pets are two archives, images.tar.gz and annotations.tar.gz: put both into one folder and give it.",
        )
    return found


def _breeds(annotations: Path) -> dict[str, _Pet]:
    known: dict[str, _Pet] = {}
    for member in members(annotations):
        split = _LISTS.get(member.name.rpartition("/")[2])
        if split is None:
            continue
        for number, line in enumerate(member.read().decode("utf-8", "replace").splitlines(), 1):
            found = _BREED_LINE.match(line.strip())
            if line.strip() and not line.startswith("#"):
                if found is None or found[1] in known:
                    raise DataError(f"{annotations}: {member.name}, line {number} is strange.", "Get it again.")
                known[found[1]] = _Pet(found[2], _SPECIES[found[3]], split)
    if not known:
        raise DataError(f"{annotations} holds no trainval.txt and no test.txt.", "Get it again.")
    return known


def _once(source: Path, path: str, seen: set[str]) -> str:
    if path in seen:
        raise DataError(f"{source} holds {path} twice.", "Get the file again.")
    seen.add(path)
    return path
