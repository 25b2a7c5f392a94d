"""The schema of TFLite metadata (`metadata_schema.fbs`, 1.5.0) as data: tables, and their fields by slot.

A kind is `text`, `texts`, `byte`, `uint`, `int`, `float`, `floats`, `uints`, `blob`, `table NAME`, `tables NAME`, or
`union NAME …`, which takes two slots: the number of the table that follows, from 1, and the table.
"""

from __future__ import annotations

from collections.abc import Mapping

SCHEMA_VERSION = "1.5.0"
ROOT = "ModelMetadata"
IDENTIFIER = b"M001"

AXIS_LABELS = 2
"""The `type` of an associated file that names the places of a tensor's last axis."""
RGB, GREY = 1, 2
"""Of `ImageProperties.color_space`; 0 is unknown."""

Fields = tuple[tuple[str, str], ...]

TABLES: Mapping[str, Fields] = {
    "ModelMetadata": (
        ("name", "text"),
        ("description", "text"),
        ("version", "text"),
        ("subgraph_metadata", "tables SubGraphMetadata"),
        ("author", "text"),
        ("license", "text"),
        ("associated_files", "tables AssociatedFile"),
        ("min_parser_version", "text"),
    ),
    "SubGraphMetadata": (
        ("name", "text"),
        ("description", "text"),
        ("input_tensor_metadata", "tables TensorMetadata"),
        ("output_tensor_metadata", "tables TensorMetadata"),
        ("associated_files", "tables AssociatedFile"),
        ("input_process_units", "tables ProcessUnit"),
        ("output_process_units", "tables ProcessUnit"),
        ("input_tensor_groups", "tables TensorGroup"),
        ("output_tensor_groups", "tables TensorGroup"),
        ("custom_metadata", "tables CustomMetadata"),
    ),
    "TensorMetadata": (
        ("name", "text"),
        ("description", "text"),
        ("dimension_names", "texts"),
        ("content", "table Content"),
        ("process_units", "tables ProcessUnit"),
        ("stats", "table Stats"),
        ("associated_files", "tables AssociatedFile"),
    ),
    "AssociatedFile": (
        ("name", "text"),
        ("description", "text"),
        ("type", "byte"),
        ("locale", "text"),
        ("version", "text"),
    ),
    "Content": (
        ("content_properties", "union FeatureProperties ImageProperties BoundingBoxProperties AudioProperties"),
        ("range", "table ValueRange"),
    ),
    "ValueRange": (("min", "int"), ("max", "int")),
    "FeatureProperties": (),
    "ImageProperties": (("color_space", "byte"), ("default_size", "table ImageSize")),
    "ImageSize": (("width", "uint"), ("height", "uint")),
    "BoundingBoxProperties": (("index", "uints"), ("type", "byte"), ("coordinate_type", "byte")),
    "AudioProperties": (("sample_rate", "uint"), ("channels", "uint")),
    "ProcessUnit": (
        (
            "options",
            "union NormalizationOptions ScoreCalibrationOptions ScoreThresholdingOptions BertTokenizerOptions "
            "SentencePieceTokenizerOptions RegexTokenizerOptions",
        ),
    ),
    "NormalizationOptions": (("mean", "floats"), ("std", "floats")),
    "ScoreCalibrationOptions": (("score_transformation", "byte"), ("default_score", "float")),
    "ScoreThresholdingOptions": (("global_score_threshold", "float"),),
    "BertTokenizerOptions": (("vocab_file", "tables AssociatedFile"),),
    "SentencePieceTokenizerOptions": (
        ("sentencePiece_model", "tables AssociatedFile"),
        ("vocab_file", "tables AssociatedFile"),
    ),
    "RegexTokenizerOptions": (("delim_regex_pattern", "text"), ("vocab_file", "tables AssociatedFile")),
    "Stats": (("max", "floats"), ("min", "floats")),
    "TensorGroup": (("name", "text"), ("tensor_names", "texts")),
    "CustomMetadata": (("name", "text"), ("data", "blob")),
}
