"""Open a bundle: its structure and its manifest are checked at once, each entry's hash when it is read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from orilla_runtime.bundle.archive import check_crc, read_data, read_entries
from orilla_runtime.bundle.checks import check_manifest
from orilla_runtime.bundle.codec import MAX_BYTES as MAX_MANIFEST
from orilla_runtime.bundle.codec import decode_manifest
from orilla_runtime.bundle.common_checks import is_sha256
from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.layout import MANIFEST, Entry
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.mark import is_bundle
from orilla_runtime.errors import BundleError, UsageError

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyArtifact, AnyManifest

__all__ = ["Bundle", "is_bundle", "open_bundle"]


class Bundle:
    """An open bundle. Reading is safe from several threads; close it, or use it in a `with` block.

    Attributes:
        path: the file.
        id: sha256 of manifest.json in hexadecimal digits; every result names it.
        manifest: what the bundle says of itself, checked against the entries.
    """

    def __init__(self, path: Path, file: BinaryIO, entries: tuple[Entry, ...], id_: str, manifest: AnyManifest) -> None:
        self.path = path
        self.id = id_
        self.manifest = manifest
        self._file = file
        self._lock = threading.Lock()
        self._entries = {entry.name: entry for entry in entries}
        self._hashes = {entry.path: entry.sha256 for entry in manifest.files}

    def read(self, entry_path: str) -> bytes:
        """The bytes of one entry, hashed now: exactly these bytes are the ones that the manifest lists.

        Raises:
            BundleError: fault `wrong-hash` (or `wrong-crc`, `truncated`): the bytes are not those that were written.
            UsageError: the bundle has no such entry, or was closed.
        """
        if entry_path not in self._hashes:
            known = ", ".join(sorted(self._hashes))
            raise UsageError(f"{self.path} has no entry {entry_path!r}.", f"It has {known}.")
        entry = self._entries[entry_path]
        where = str(self.path)
        with self._lock:
            if self._file.closed:
                raise UsageError(f"{self.path} was closed.", "Open the bundle again.")
            try:
                data = read_data(self._file, entry, where)
            except OSError as error:
                raise _unreadable(self.path, error) from error
        if hashlib.sha256(data).hexdigest() != self._hashes[entry_path]:
            raise refusal(where, "wrong-hash", f"{entry_path} does not have the sha256 that the manifest lists")
        check_crc(data, entry, where)
        return data

    def verify(self) -> None:
        """Read and hash every entry.

        Raises:
            BundleError: as `read`.
        """
        for entry_path in self._hashes:
            self.read(entry_path)

    def artifact(self, name: str) -> AnyArtifact:
        """The artifact that `name` means.

        `name` is a path (`artifacts/x.tflite`), a file name (`x.tflite`), a recipe (`tflite:int8,calibration=100`),
        `format:precision` (`tflite:int8`), or a target that the bundle has a default for (`tflite`).

        Raises:
            UsageError: no artifact or several are called so; the remedy names those that there are.
        """
        artifacts: Sequence[AnyArtifact] = self.manifest.artifacts
        name_of_default = self.manifest.defaults.get(name)
        for found in (
            [artifact for artifact in artifacts if artifact.path == name],
            [artifact for artifact in artifacts if artifact.path == name_of_default],
            [artifact for artifact in artifacts if artifact.path == f"artifacts/{name}"],
            [artifact for artifact in artifacts if artifact.recipe == name],
            [artifact for artifact in artifacts if f"{artifact.format}:{artifact.precision}" == name],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise UsageError(f"{self.path} has {len(found)} artifacts {name!r}.", f"Give a path: {_paths(found)}.")
        raise UsageError(f"{self.path} has no artifact {name!r}.", f"It has {_paths(artifacts)}.")

    @property
    def classifier(self) -> Manifest:
        """The manifest, for what works with classifiers alone.

        Raises:
            UsageError: a raw bundle, whose outputs are no class scores.
        """
        if not isinstance(self.manifest, Manifest):
            raise UsageError(f"{self.path} is no classifier: it gives its outputs as they are.", "Load it and call it.")
        return self.manifest

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_bundle(path: str | Path, expected_id: str | None = None) -> Bundle:
    """Open and check a bundle; no entry but the manifest is read.

    `expected_id` is the id that was noted when the bundle was made: a hash in the file detects damage, this one
    detects that it is another file.

    Raises:
        BundleError: no such file, or not exactly what the writer emits; `fault` is the fault's stable name.
        UsageError: `expected_id` is not 64 hexadecimal digits.
    """
    if expected_id is not None and not is_sha256(expected_id.lower()):
        raise UsageError(
            f"{expected_id!r} is not a bundle's id.", "An id is 64 hexadecimal digits: `orilla info` prints it."
        )
    path = Path(path)
    file = _open(path)
    try:
        return _checked(path, file, expected_id)
    except OSError as error:
        file.close()
        raise _unreadable(path, error) from error
    except BaseException:
        file.close()
        raise


def _open(path: Path) -> BinaryIO:
    where = str(path)
    try:
        if path.is_dir():
            raise refusal(where, "not-a-file", "this is a folder, not a bundle", "Give the path of a .orilla file.")
        if not path.exists():
            raise refusal(where, "no-file", "there is no such file", "Give the path of a .orilla file.")
        # Opening a pipe would wait for its other end.
        if not path.is_file():
            raise refusal(where, "not-a-file", "this is a device or a pipe", "Copy the bundle to a file first.")
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BundleError:
    return refusal(str(path), "unreadable", f"cannot be read: {error.strerror or error}", "Check its permissions.")


def _checked(path: Path, file: BinaryIO, expected_id: str | None) -> Bundle:
    where = str(path)
    length = file.seek(0, 2)
    entries = read_entries(file, length, where)
    head, *others = entries
    if head.size > MAX_MANIFEST:
        raise refusal(where, "too-large", f"{MANIFEST} has {head.size} bytes, more than {MAX_MANIFEST}")
    data = read_data(file, head, where)
    id_ = hashlib.sha256(data).hexdigest()
    if expected_id is not None and id_ != expected_id.lower():
        what = f"its id is {id_}, not {expected_id.lower()}"
        raise refusal(where, "wrong-id", what, "This is another bundle than the one that was expected.")
    check_crc(data, head, where)
    manifest = decode_manifest(data, where)
    check_manifest(manifest, {entry.name: entry.size for entry in others}, where)
    return Bundle(path, file, entries, id_, manifest)


def _paths(artifacts: Sequence[AnyArtifact]) -> str:
    return ", ".join(artifact.path for artifact in artifacts)
