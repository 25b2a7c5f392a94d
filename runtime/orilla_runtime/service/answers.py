"""Answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from orilla_runtime.text import printable


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """One object, as `run --jsonl` writes it. Raises TypeError or ValueError where it is not JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    data = (text + "\n").encode("utf-8", "backslashreplace")
    return Response(data, status, dict(headers or {}), "application/json")


def problem(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal with its reason in one line."""
    return answer({"error": printable(reason)}, status, headers)
