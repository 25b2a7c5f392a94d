"""docs/bundle.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from orilla_runtime.bundle.checks import check_manifest
from orilla_runtime.bundle.codec import decode_manifest, encode_manifest
from tests.attacks.forge import spelled
from tests.attacks.test_bundle_attacks import ARCHIVE, MANIFEST
from tests.runtime.bundle.test_writing import NOT_WRITTEN

SPECIFICATION = (Path(__file__).parents[3] / "docs" / "bundle.md").read_text("utf-8")

# Faults that tests of other files provoke: of the file itself, of an entry's bytes, of a source.
ELSEWHERE = {"no-file", "not-a-file", "unreadable", "wrong-hash", "wrong-crc", "wrong-picture", "wrong-id"}
WHILE_WRITING = {"no-source", "changed-source"}


def test_the_example_is_a_manifest() -> None:
    example = re.search(r"```json\n(.*?)```", SPECIFICATION, re.DOTALL)
    assert example
    data = spelled(json.loads(example[1]))
    manifest = decode_manifest(data, "docs/bundle.md")
    assert encode_manifest(manifest, "docs/bundle.md") == data
    check_manifest(manifest, {file.path: file.bytes for file in manifest.files}, "docs/bundle.md")
    for name in manifest.__slots__:
        assert f"`{name}" in SPECIFICATION


def test_every_fault_is_listed() -> None:
    table = SPECIFICATION[SPECIFICATION.index("## Faults") :]
    listed = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    provoked = {fault for cases in (ARCHIVE, MANIFEST, NOT_WRITTEN) for fault, _ in cases.values()}
    assert listed == provoked | ELSEWHERE | WHILE_WRITING
