"""Zip files as an attacker would write them: every field of every header can be set, nothing is checked.

Written from the zip specification (APPNOTE) and apart from Orilla's writer, so as not to repeat its mistakes.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orilla_runtime.bundle.codec import manifest_as_json
from tests.runtime.bundle.samples import sample


@dataclass(frozen=True)
class Forged:
    """One entry. `local` and `central` override single fields of the two headers; None in `offset`: where it stands."""

    name: bytes
    data: bytes
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    behind: bytes = b""
    offset: int | None = None


def forge(
    entries: Iterable[Forged], *, end: Mapping[str, int] | None = None, comment: bytes = b"", shift: int = 0
) -> bytes:
    """The zip file; `shift` is added to all offsets, `end` overrides fields of the end record."""
    body, directory, count = b"", b"", 0
    for entry in entries:
        offset = (len(body) if entry.offset is None else entry.offset) + shift
        body += _local(entry) + entry.data + entry.behind
        directory += _central(entry, offset)
        count += 1
    fields = {"disk": 0, "start": 0, "here": count, "count": count, "size": len(directory), "offset": len(body) + shift}
    fields |= {"comment": len(comment), **(end or {})}
    return body + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", *fields.values()) + comment


def _fields(entry: Forged) -> dict[str, int]:
    size = len(entry.data)
    common = {"need": 20, "flags": 0, "method": 0, "time": 0, "date": 0x21, "crc": zlib.crc32(entry.data)}
    return common | {"packed": size, "size": size}


def _local(entry: Forged) -> bytes:
    name = entry.name if entry.local_name is None else entry.local_name
    fields = _fields(entry) | {"name": len(name), "extra": len(entry.extra), **entry.local}
    return b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", *fields.values()) + name + entry.extra


def _central(entry: Forged, offset: int) -> bytes:
    fields = {"made": 0x0314, **_fields(entry), "name": len(entry.name), "extra": len(entry.central_extra)}
    fields |= {"comment": len(entry.comment), "disk": 0, "internal": 0, "mode": 0o100644 << 16, "offset": offset}
    packed = struct.pack("<HHHHHHIIIHHHHHII", *(fields | entry.central).values())
    return b"PK\x01\x02" + packed + entry.name + entry.central_extra + entry.comment


def manifest() -> dict[str, Any]:
    """A good manifest as plain JSON, for a test to change."""
    source = sample()
    plain = manifest_as_json(source.manifest)
    plain["files"] = [
        {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(source.entries.items())
    ]
    return plain


def spelled(plain: object) -> bytes:
    """Canonical JSON, by the rules of docs/bundle.md."""
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def good(text: bytes | None = None) -> list[Forged]:
    """The entries of a good bundle; `text` takes the manifest's place."""
    head = Forged(b"manifest.json", spelled(manifest()) if text is None else text)
    return [head, *(Forged(name.encode(), data) for name, data in sorted(sample().entries.items()))]


def with_last(**changes: Any) -> list[Forged]:
    """A good bundle of which the last entry (an empty report) is changed."""
    *entries, last = good()
    return [*entries, replace(last, **changes)]


def with_artifact(**changes: Any) -> list[Forged]:
    """A good bundle of which the first artifact's entry is changed."""
    head, artifact, *entries = good()
    return [head, replace(artifact, **changes), *entries]


def with_manifest(change: Callable[[dict[str, Any]], object]) -> list[Forged]:
    """A good bundle whose manifest was changed in place by `change`."""
    plain = manifest()
    change(plain)
    return good(spelled(plain))


def named(*names: bytes) -> list[Forged]:
    """A good bundle with entries of these names behind it, listed in its manifest where they can be."""
    plain = manifest()
    listed = {file["path"]: file for file in plain["files"]}
    for name in names:
        path = name.decode("utf-8", "replace")
        listed[path] = {"path": path, "bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    plain["files"] = [listed[path] for path in sorted(listed)]
    return [*good(spelled(plain)), *(Forged(name, b"x") for name in names)]
