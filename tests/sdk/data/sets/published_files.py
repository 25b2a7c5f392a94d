"""Small files in exactly the formats in which the named sets are published."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_idx(folder: Path, part: str, images: NDArray[np.uint8], labels: NDArray[np.uint8], *, packed: bool) -> None:
    """The two files of one part (`train` or `t10k`) of MNIST or Fashion-MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        f"{part}-images-idx3-ubyte": struct.pack(">4I", 0x803, *images.shape) + images.tobytes(),
        f"{part}-labels-idx1-ubyte": struct.pack(">2I", 0x801, len(labels)) + labels.tobytes(),
    }
    for name, content in contents.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content, 1) if packed else content)


def batch_of_python_2(images: NDArray[np.uint8], labels: Iterable[int]) -> bytes:
    """One batch of `cifar-10-python.tar.gz`, as Python 2's cPickle (protocol 2) wrote it; images [n, 3, 32, 32]."""
    out = io.BytesIO()
    memo = iter(range(1, 1 << 16))

    def put() -> bytes:
        number = next(memo)
        return b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number)

    def text(value: bytes) -> bytes:
        head = b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))
        return head + value + put()

    out.write(b"\x80\x02}" + put() + b"(" + text(b"batch_label") + text(b"training batch 1 of 5") + text(b"labels"))
    out.write(b"]" + put() + b"(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e")
    out.write(text(b"data") + b"cnumpy.core.multiarray\n_reconstruct\n" + put() + b"cnumpy\nndarray\n" + put())
    out.write(b"K\x00\x85" + put() + text(b"b") + b"\x87" + put() + b"R" + put())
    out.write(b"(K\x01" + b"M" + struct.pack("<H", len(images)) + b"M\x00\x0c\x86" + put())
    out.write(b"cnumpy\ndtype\n" + put() + text(b"u1") + b"K\x00K\x01\x87" + put() + b"R" + put())
    out.write(b"(K\x03" + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00t" + put() + b"b")
    out.write(b"\x89" + text(images.tobytes()) + b"t" + put() + b"b")
    names = b"".join(text(f"leptodactylus_pentadactylus_s_{place:06}.png".encode()) for place in range(len(images)))
    out.write(text(b"filenames") + b"]" + put() + b"(" + names + b"eu.")
    return out.getvalue()


def check_batch(batch: bytes, images: NDArray[np.uint8], labels: list[int]) -> None:
    """Python's own loader reads the batch as Keras does: the format is the true one."""
    table: dict[bytes, Any] = pickle.loads(batch, encoding="bytes")
    np.testing.assert_array_equal(table[b"data"], images.reshape(len(images), -1))
    assert table[b"labels"] == labels


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    """A tar of regular files."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip of regular files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
