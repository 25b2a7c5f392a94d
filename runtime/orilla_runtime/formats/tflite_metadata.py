"""The TFLITE_METADATA entry and the files that are packed behind a TFLite model."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orilla_runtime.formats.flatbuffer import Buffer, Table
from orilla_runtime.formats.limits import Budget, DamagedFileError
from orilla_runtime.formats.model_file import Normalization
from orilla_runtime.formats.text import lines_of
from orilla_runtime.records import dataclass

if TYPE_CHECKING:
    import zipfile

AXIS_LABELS = 2
_NORMALIZATION = 1
_MAX_FILES, _MAX_FILE_BYTES = 64, 8 << 20
_ZIP_END = b"PK\x05\x06"
_LONGEST_ZIP_END = 22 + 0xFFFF


@dataclass(frozen=True, slots=True)
class AssociatedFile:
    """A file that the metadata speaks of; `kind` is its number in the metadata's schema (2: labels of an axis)."""

    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """What the metadata says of one input or output."""

    name: str
    normalization: Normalization | None
    files: tuple[AssociatedFile, ...]


@dataclass(frozen=True, slots=True)
class TFLiteMetadata:
    """The metadata of the first subgraph; inputs and outputs in the subgraph's order."""

    name: str = ""
    description: str = ""
    author: str = ""
    licence: str = ""
    version: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()
    files: tuple[AssociatedFile, ...] = ()


def read_metadata(data: memoryview, budget: Budget) -> TFLiteMetadata:
    """The metadata flatbuffer. Raises DamagedFileError."""
    root = Buffer(data, budget).root()
    graph = next(root.tables(3), None)
    return TFLiteMetadata(
        name=root.text(0),
        description=root.text(1),
        version=root.text(2),
        author=root.text(4),
        licence=root.text(5),
        inputs=tuple(map(_tensor, graph.tables(2))) if graph else (),
        outputs=tuple(map(_tensor, graph.tables(3))) if graph else (),
        files=tuple(_files(root, 6)) + (tuple(_files(graph, 4)) if graph else ()),
    )


def _tensor(table: Table) -> TensorMetadata:
    normalization = None
    for unit in table.tables(4):
        options = unit.table(1)
        if unit.number(0, "B") == _NORMALIZATION and options:
            normalization = Normalization(options.numbers(0, "f"), options.numbers(1, "f"))
    return TensorMetadata(table.text(0), normalization, tuple(_files(table, 6)))


def _files(table: Table, slot: int) -> Iterator[AssociatedFile]:
    for entry in table.tables(slot):
        yield AssociatedFile(entry.text(0), entry.number(2, "b"))


def read_packed_texts(data: bytes) -> Mapping[str, tuple[str, ...]]:
    """The text files that are appended to the model as a zip archive, as lines. Raises DamagedFileError."""
    if _ZIP_END not in data[-_LONGEST_ZIP_END:]:
        return {}
    # Imported where there is an archive: most models have none, and it costs a part of the time to the first result.
    import zipfile
    import zlib

    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        return {}
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
            if len(entries) > _MAX_FILES:
                raise DamagedFileError(f"it packs {len(entries)} files, more than {_MAX_FILES}")
            return {entry.filename: lines_of(_content(archive, entry)) for entry in entries}
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
        EOFError,
        OSError,
    ) as error:
        raise DamagedFileError(f"the files packed into it cannot be read ({error})") from error


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as stream:
        # The size in the header may lie; one byte more than allowed is enough to know.
        content = stream.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise DamagedFileError(f"the packed file {entry.filename} is larger than {_MAX_FILE_BYTES >> 20} MiB")
    return content
