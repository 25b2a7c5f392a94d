"""The manifest's data classes <-> canonical JSON. Strict: one manifest has one spelling, and every other is refused.

The data classes of manifest.py, and of raw_manifest.py where `features` says so, are the schema: each field is a
required key of that type, and there are no others.
"""

from __future__ import annotations

import json
import math
import re
import types
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.layout import MANIFEST
from orilla_runtime.bundle.manifest import FEATURES, RAW, SCHEMA, Manifest
from orilla_runtime.errors import UsageError
from orilla_runtime.records import is_record, names_of

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyManifest

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
"""Larger ones do not survive a reader whose numbers are all doubles, as JavaScript's are."""

UPDATE = "Update Orilla: pip install --upgrade orilla"

# Everything up to the next bracket outside of texts. A text's closing quote is optional, no quantifier gives back and
# no place is without a match, so that hostile bytes cost no more than their length.
_UP_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([\[\]{}]?)', re.DOTALL)


def manifest_as_json(manifest: AnyManifest) -> dict[str, Any]:
    """The manifest as JSON's own types, for a program to print.

    Raises:
        BundleError: a value that JSON cannot hold; never for a manifest that was read from a bundle.
    """
    plain = _encode(manifest, type(manifest), "", manifest.name)
    assert isinstance(plain, dict)
    return plain


def encode_manifest(manifest: AnyManifest, where: str) -> bytes:
    """The bytes of manifest.json.

    Raises:
        BundleError: a value that JSON or the manifest's types cannot hold.
    """
    try:
        data = _canonical(_encode(manifest, type(manifest), "", where))
    except UnicodeEncodeError:
        raise refusal(where, "wrong-value", f"{MANIFEST}: a text holds half a character (a lone surrogate)") from None
    except RecursionError:
        raise refusal(where, "too-deep", f"{MANIFEST} is nested deeper than {MAX_DEPTH}") from None
    if len(data) > MAX_BYTES:
        raise refusal(where, "too-large", f"{MANIFEST} has {len(data)} bytes, more than {MAX_BYTES}")
    _check_depth(data, where)
    return data


def decode_manifest(data: bytes, where: str) -> AnyManifest:
    """The manifest that these bytes spell; `checks.py` judges what it says.

    Raises:
        BundleError: not the canonical JSON of a manifest of this schema.
    """
    if len(data) > MAX_BYTES:
        raise refusal(where, "too-large", f"{MANIFEST} has {len(data)} bytes, more than {MAX_BYTES}")
    _check_depth(data, where)
    plain = _parse(data, where)
    if not isinstance(plain, dict):
        raise refusal(where, "wrong-type", f"{MANIFEST} is not a JSON object")
    # First of all keys: a newer manifest may differ in everything else.
    _check_schema(plain, where)
    _check_features(plain, where)
    try:
        canonical = _canonical(plain)
    except UnicodeEncodeError:
        canonical = b""
    if canonical != data:
        raise refusal(where, "not-canonical", f"{MANIFEST} is not spelled as Orilla spells it")
    features = plain.get("features")
    manifest: AnyManifest
    if isinstance(features, list) and RAW in features:
        # Its data classes are made where a raw bundle comes: they take as long as all of a classifier's.
        from orilla_runtime.bundle.raw_manifest import RawManifest

        manifest = _decode(plain, RawManifest, "", where)
    else:
        manifest = _decode(plain, Manifest, "", where)
    return manifest


def _canonical(plain: object) -> bytes:
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _check_depth(data: bytes, where: str) -> None:
    depth = 0
    for found in _UP_TO_BRACKET.finditer(data):
        bracket = found[1]
        depth += 1 if bracket in (b"[", b"{") else -1 if bracket else 0
        if depth > MAX_DEPTH:
            raise refusal(where, "too-deep", f"{MANIFEST} is nested deeper than {MAX_DEPTH}")


def _parse(data: bytes, where: str) -> object:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(items)
        if len(members) < len(items):
            names = [key for key, _ in items]
            twice = next(key for key in names if names.count(key) > 1)
            raise refusal(where, "repeated-key", f"{MANIFEST} has the key {twice!r} twice in one object")
        return members

    def integer(text: str) -> int:
        # Checked by length first: int() of a million digits takes its time.
        if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
            raise refusal(where, "wrong-value", f"{MANIFEST} holds an integer beyond 2^53")
        return int(text)

    def number(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise refusal(where, "not-finite", f"{MANIFEST} holds a number that is not finite")
        return value

    def constant(text: str) -> NoReturn:
        raise refusal(where, "not-finite", f"{MANIFEST} holds {text}")

    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=number,
            parse_constant=constant,
        )
    except ValueError as error:
        raise refusal(where, "not-json", f"{MANIFEST} is not JSON: {error}") from None


def _check_schema(plain: dict[str, Any], where: str) -> None:
    schema = plain.get("schema")
    if type(schema) is int and schema > SCHEMA:
        what = f"it has schema {schema}, and this Orilla reads up to schema {SCHEMA}"
        raise refusal(where, "newer-schema", what, UPDATE)
    if schema != SCHEMA or type(schema) is not int:
        raise refusal(where, "wrong-value", f"{MANIFEST}: schema is {_short(schema)}, not {SCHEMA}")


def _check_features(plain: dict[str, Any], where: str) -> None:
    features = plain.get("features")
    if isinstance(features, list):
        for feature in features:
            if isinstance(feature, str) and feature not in FEATURES:
                raise refusal(where, "unknown-feature", f"it needs the feature {feature!r}", UPDATE)


def _decode(value: Any, hint: Any, path: str, where: str) -> Any:
    """`value` as the type `hint`; `path` is where it stands, for the message."""
    if hint is str:
        return check_text(_typed(value, str, path, where), path, where)
    if hint is Any:
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _decode(value, inner, path, where)
    if origin is Literal:
        if type(value) is not str or value not in arguments:
            raise _wrong_value(where, path, value, f"one of {', '.join(arguments)}")
        return value
    if origin is tuple:
        return _decode_list(value, arguments, path, where)
    if origin is Mapping:
        members = _typed(value, dict, path, where)
        return {key: _decode(member, arguments[1], f"{path}.{key}", where) for key, member in members.items()}
    if is_record(hint):
        return _decode_object(_typed(value, dict, path, where), hint, path, where)
    return _typed(value, hint, path, where)


def _decode_list(value: Any, arguments: tuple[Any, ...], path: str, where: str) -> tuple[Any, ...]:
    items = _typed(value, list, path, where)
    endless = arguments[-1] is Ellipsis
    if endless and arguments[0] is str and all(type(item) is str and item.isprintable() for item in items):
        return tuple(items)  # a thousand labels: no place is spelled out for an error that does not come
    if not endless and len(items) != len(arguments):
        raise _wrong_value(where, path, items, f"{len(arguments)} values")
    return tuple(
        _decode(item, arguments[0 if endless else place], f"{path}[{place}]", where) for place, item in enumerate(items)
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a data class's fields; evaluating them costs more than reading the object."""
    return get_type_hints(kind)


def _decode_object(members: dict[str, Any], kind: Any, path: str, where: str) -> Any:
    hints = _hints(kind)
    names = names_of(kind)
    for key in members:
        if key not in names:
            raise refusal(where, "unknown-key", f"{MANIFEST} has the unknown key {_join(path, key)!r}", UPDATE)
    for name in names:
        if name not in members:
            raise refusal(where, "missing-key", f"{MANIFEST} lacks the key {_join(path, name)!r}")
    values = {name: _decode(members[name], hints[name], _join(path, name), where) for name in names}
    try:
        return kind(**values)
    except UsageError as error:
        raise refusal(where, "wrong-value", f"{MANIFEST}: {error.message.rstrip('.')}") from None


def _typed(value: Any, kind: type, path: str, where: str) -> Any:
    # `type` and not isinstance: JSON's true is no integer, and 1 is not the spelling of 1.0.
    if type(value) is not kind:
        names = {
            dict: "an object",
            list: "a list",
            str: "a text",
            int: "an integer",
            float: "a float",
            bool: "a boolean",
        }
        raise refusal(where, "wrong-type", f"{MANIFEST}: {path} is {_short(value)}, not {names[kind]}")
    return value


def check_text(text: str, path: str, where: str) -> str:
    """A text that may be shown on a terminal: no control characters.

    Raises:
        BundleError: fault `wrong-value`.
    """
    if not text.isprintable() and any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text):
        raise _wrong_value(where, path, text, "a text without control characters")
    return text


def _encode(value: Any, hint: Any, path: str, where: str) -> Any:
    """`value`, which should be of the type `hint`, as JSON's own types; `_decode` then judges the result."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType} and value is not None:
        return _encode(value, arguments[0], path, where)
    if type(value) is hint and is_record(hint):
        return _encode_object(value, hint, path, where)
    if isinstance(value, Mapping):
        kind = arguments[1] if origin is Mapping else Any
        keys = [_typed(key, str, f"a key of {path}", where) for key in value]
        return {key: _encode(value[key], kind, _join(path, key), where) for key in keys}
    if isinstance(value, tuple | list):
        kinds = arguments if origin is tuple else (Any, ...)
        kind_of = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        if len(kind_of) != len(value):
            raise _wrong_value(where, path, value, f"{len(kind_of)} values")
        pairs = enumerate(zip(value, kind_of, strict=True))
        return [_encode(item, kind, f"{path}[{place}]", where) for place, (item, kind) in pairs]
    return _encode_scalar(value, hint, path, where)


def _encode_object(value: Any, kind: Any, path: str, where: str) -> dict[str, Any]:
    hints = _hints(kind)
    names = names_of(kind)
    return {name: _encode(getattr(value, name), hints[name], _join(path, name), where) for name in names}


def _encode_scalar(value: Any, hint: Any, path: str, where: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return float(value) if hint is float else int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise refusal(where, "not-finite", f"{MANIFEST}: {path} is {value}")
        return float(value)
    raise refusal(where, "wrong-type", f"{MANIFEST}: {path} is {_short(value)}, which JSON cannot hold")


def _wrong_value(where: str, path: str, value: object, allowed: str) -> Exception:
    return refusal(where, "wrong-value", f"{MANIFEST}: {path} is {_short(value)}, not {allowed}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
