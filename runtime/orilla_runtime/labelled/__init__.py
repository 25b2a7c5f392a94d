"""Labelled pictures: a folder with a subfolder a class, a CSV or a JSONL."""

from orilla_runtime.labelled.images import LabelledImages, require_classes
from orilla_runtime.labelled.reading import read_labelled

__all__ = ["LabelledImages", "read_labelled", "require_classes"]
