"""What the service is, in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_NULLABLE_TEXT = {"type": ["string", "null"]}
_MODEL = {"bundle": _NULLABLE_TEXT, "artifact": _TEXT, "engine": _TEXT}


def description(max_bytes: int, needs_token: bool) -> dict[str, Any]:
    """The document of GET /openapi.json."""
    security: dict[str, Any] = {"security": [{"token": []}]} if needs_token else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orilla", "version": _version(), "description": "A vision model that answers pictures."},
        "paths": {
            "/classify": {"post": {**_classify(max_bytes), **security}},
            "/healthz": {"get": _get("Whether pictures are taken", "200 they are; 503 the service ends.")},
            "/openapi.json": {"get": _get("This document", "OpenAPI 3.1")},
        },
        "components": {
            "schemas": {"Result": _result(), "Failure": _failure(), "Problem": _object({"error": _TEXT}, ["error"])},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _classify(max_bytes: int) -> dict[str, Any]:
    problems = {
        "401": "no token, or a wrong one",
        "408": "the body took too long to arrive",
        "413": f"the body is larger than {max_bytes} bytes",
        "500": "the model failed",
        "503": "too many pictures wait, or the service ends; Retry-After says when to try again",
        "504": "no result in time",
    }
    return {
        "operationId": "classify",
        "summary": "Classify one picture",
        "description": "The body is the picture file itself: JPEG, PNG, WebP, BMP, TIFF and what else OpenCV reads.",
        "parameters": [
            {
                "name": "source",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "maxLength": 300, "default": "request"},
                "description": "what the result calls the picture",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "contentMediaType": "image/*"}}},
        },
        "responses": {
            "200": _response("the result, as `orilla run --jsonl` writes it", "Result"),
            "422": _response("not a picture, or none that the model takes", "Failure"),
            **{status: _response(reason, "Problem") for status, reason in problems.items()},
        },
    }


def _result() -> dict[str, Any]:
    named = {"label": _TEXT, "class_id": {"type": "integer"}, "score": _NUMBER}
    decision = {"label": _TEXT, "class_id": {"type": ["integer", "null"]}, "score": _NUMBER, "reason": _TEXT}
    times = dict.fromkeys(("decode", "preprocess", "infer", "postprocess"), _NUMBER)
    values = {
        "source": _TEXT,
        "index": {"type": "integer"},
        "pts_seconds": {"type": ["number", "null"]},
        "captured_at": {"type": "string", "format": "date-time"},
        "predictions": {"type": "array", "items": _object(named, list(named)), "description": "best first"},
        "decision": {**_object(decision, list(decision)), "description": "where thresholds were given"},
        "outputs": {"type": "object", "description": "of a model that is no classifier: its tensors by name"},
        "timing_ms": _object(times, list(times)),
        **_MODEL,
    }
    return _object(values, [name for name in values if name not in {"predictions", "decision", "outputs"}])


def _failure() -> dict[str, Any]:
    values = {
        "source": _TEXT,
        "index": {"type": "integer"},
        "captured_at": {"type": "string", "format": "date-time"},
        "kind": _TEXT,
        "error": _TEXT,
        **_MODEL,
    }
    return _object(values, list(values))


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _response(reason: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": reason, "content": content}


def _get(summary: str, reason: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"default": {"description": reason, "content": {"application/json": {}}}}}


def _version() -> str:
    try:
        return version("orilla")
    except PackageNotFoundError:
        return "0"
