"""JSON that can always be written, whatever bytes stand in the name of a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def plain_text(value: Any) -> Any:
    """Plain JSON whose texts can be written: a file's name that is no UTF-8 shows its bytes as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {plain_text(key): plain_text(one) for key, one in value.items()}
    return [plain_text(one) for one in value] if isinstance(value, list | tuple) else value


def json_bytes(document: Mapping[str, Any], *, sort_keys: bool = False) -> bytes:
    """One JSON document; what is no UTF-8 in a file's name is written as JSON's own escapes."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=sort_keys, indent=1)
    return f"{text}\n".encode("utf-8", "backslashreplace")
