"""Labels and normalization inside the artifacts themselves, for programs that know nothing of bundles."""

from __future__ import annotations

import json
from collections.abc import Sequence


def onnx_properties(labels: Sequence[str]) -> dict[str, str]:
    """The `metadata_props` of an artifact of Orilla: raw pixels in (mean 0, deviation 1), probabilities out."""
    return {
        "orilla.labels": json.dumps(list(labels), ensure_ascii=False),
        "orilla.mean": "[0.0]",
        "orilla.std": "[1.0]",
        "orilla.output": "probabilities",
    }
