"""What a person says of a model, put into the metadata that it has: key by key, all else stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orilla_converters.metadata_codec import Record
from orilla_converters.metadata_schema import AXIS_LABELS, GREY, RGB
from orilla_runtime.formats.model_file import Normalization

TEXTS = ("name", "description", "version", "author", "license")
LABEL_FILE = "labels.txt"
# Least version of the schema that knows what is written here.
_PARSER_VERSION = "1.0.0"
_FILE_LISTS = frozenset({"associated_files", "vocab_file", "sentencePiece_model"})
# The schema has no word for BGR.
_COLOURS = {"rgb": RGB, "grey": GREY}


def label_lines(labels: Sequence[str]) -> bytes:
    """The label file: one name a line, its white space made single, since a line break would shift all that follow."""
    return "".join(f"{' '.join(label.split())}\n" for label in labels).encode()


def with_texts(record: Record, texts: Mapping[str, str]) -> Record:
    """The record with these texts of the whole model, each one of `TEXTS`."""
    return {"min_parser_version": _PARSER_VERSION, **record, **texts}


def with_labels(record: Record, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[Record, str]:
    """The record that ties one label file to the only output, and that file's name."""

    def tie(tensor: Record) -> Record:
        files = [file for file in tensor.get("associated_files", []) if file.get("type") != AXIS_LABELS]
        return {**tensor, "associated_files": [{**kept, "name": name, "type": AXIS_LABELS}, *files]}

    graph = _graph(record, inputs, outputs)
    tied = graph["output_tensor_metadata"][0].get("associated_files", [])
    kept: Record = next((file for file in tied if file.get("type") == AXIS_LABELS and file.get("name")), {})
    name: str = kept.get("name", LABEL_FILE)
    first = tie(_described(graph["output_tensor_metadata"][0], "FeatureProperties", {}))
    return _with_graph(record, {**graph, "output_tensor_metadata": [first]}), name


def with_normalization(
    record: Record, inputs: Sequence[str], outputs: Sequence[str], normalization: Normalization, channels: str
) -> Record:
    """The record that says what the only input takes: `(pixel - mean) / std` of a picture, `rgb`, `bgr` or `grey`."""
    graph = _graph(record, inputs, outputs)
    colours = {"color_space": _COLOURS.get(channels, 0)}
    tensor = _described(graph["input_tensor_metadata"][0], "ImageProperties", colours)
    # Readers want as many means as deviations.
    count = max(len(normalization.mean), len(normalization.std))
    mean, std = (list(values) * (count // len(values)) for values in (normalization.mean, normalization.std))
    units = [unit for unit in tensor.get("process_units", []) if not _normalizes(unit)]
    first = {**tensor, "process_units": [{"options": ("NormalizationOptions", {"mean": mean, "std": std})}, *units]}
    return _with_graph(record, {**graph, "input_tensor_metadata": [first]})


def files_named(record: Record) -> set[str]:
    """The files that a record speaks of, wherever: readers refuse a model that lacks one."""
    found: set[str] = set()
    left: list[tuple[str, Any]] = list(record.items())
    while left:
        key, value = left.pop()
        if key in _FILE_LISTS:
            found |= {file["name"] for file in value if file.get("name")}
        elif isinstance(value, dict):
            left += value.items()
        elif isinstance(value, tuple):
            left += (value[1] or {}).items()
        elif isinstance(value, list):
            left += [("", one) for one in value]
    return found


def _described(tensor: Record, kind: str, properties: Record) -> Record:
    """The tensor's entry with properties of its content, where it has none."""
    return {"content": {"content_properties": (kind, properties)}, **tensor}


def _normalizes(unit: Record) -> bool:
    options: tuple[str, Any] | None = unit.get("options")
    return options is not None and options[0] == "NormalizationOptions"


def _graph(record: Record, inputs: Sequence[str], outputs: Sequence[str]) -> Record:
    """The entry of the first graph, with one entry for each tensor: readers refuse another number of them."""
    graph = dict(next(iter(record.get("subgraph_metadata", [])), {}))
    for key, names in (("input_tensor_metadata", inputs), ("output_tensor_metadata", outputs)):
        if len(graph.get(key, [])) != len(names):
            graph[key] = [{"name": name} for name in names]
    return graph


def _with_graph(record: Record, graph: Record) -> Record:
    return {
        "min_parser_version": _PARSER_VERSION,
        **record,
        "subgraph_metadata": [graph, *record.get("subgraph_metadata", [])[1:]],
    }
