"""The loader of legacy torch files: makes tensors of good files, and refuses everything else without running it."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.models.torch_weights import MAGIC, PROTOCOL, read_torch_weights
from orilla_runtime.errors import DataError


class Global:
    """Pickles as a name that the reader has to look up."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Storage:
    """Pickles as a persistent id, as torch writes it."""

    def __init__(self, kind: str, key: str, count: int, view: object = None) -> None:
        self.pid = ("storage", Global("torch", kind), key, "cpu", count, view)


class Call:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Global, *arguments: object) -> None:
        self.function, self.arguments = function, arguments


class Writer(pickle._Pickler):  # type: ignore[name-defined]  # only the Python pickler can write any name
    def persistent_id(self, item: Any) -> Any:
        return item.pid if isinstance(item, Storage) else None

    def save(self, item: Any, save_persistent_id: bool = True) -> None:
        if isinstance(item, Global):
            self.write(b"c" + f"{item.module}\n{item.name}\n".encode())
        elif isinstance(item, Call):
            self.save(item.function)
            self.save(item.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(item, save_persistent_id)


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


def tensor(storage: object, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0) -> Call:
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    return Call(REBUILD, storage, offset, shape, strides, False, OrderedDict())


def dumped(item: object) -> bytes:
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(item)
    return stream.getvalue()


def file_of(
    table: object, storages: dict[str, np.ndarray[Any, Any]], *, keys: object = None, magic: int = MAGIC
) -> bytes:
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
    head = b"".join(dumped(part) for part in (magic, PROTOCOL, system, table, keys or list(storages)))
    return head + b"".join(struct.pack("<q", values.size) + values.tobytes() for values in storages.values())


VALUES = np.arange(12, dtype="<f4")
GOOD_TABLE = OrderedDict(a=tensor(Storage("FloatStorage", "k", 12), (3, 4)))
GOOD = file_of(GOOD_TABLE, {"k": VALUES})


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], dict[str, Any]]:
    def reader(data: bytes) -> dict[str, Any]:
        path = tmp_path / "weights.pth"
        path.write_bytes(data)
        return read_torch_weights(path)

    return reader


def test_tensors_come_back(read: Callable[[bytes], dict[str, Any]]) -> None:
    table = OrderedDict(
        a=tensor(Storage("FloatStorage", "k", 12), (3, 4)),
        part=tensor(Storage("FloatStorage", "k", 12), (2,), offset=5),
        turned=tensor(Storage("FloatStorage", "k", 12), (3, 4), strides=(1, 3)),
        scalar=tensor(Storage("LongStorage", "n", 1), ()),
        one=tensor(Storage("FloatStorage", "k", 12), (12, 1, 1), strides=(1, 7, 1)),
    )
    found = read(file_of(table, {"k": VALUES, "n": np.array([7], "<i8")}))
    assert list(found) == list(table)
    np.testing.assert_array_equal(found["a"], VALUES.reshape(3, 4))
    np.testing.assert_array_equal(found["part"], [5, 6])
    np.testing.assert_array_equal(found["turned"], VALUES.reshape(4, 3).T)
    assert found["scalar"] == 7
    assert found["one"].shape == (12, 1, 1)


EVIL = Path(os.devnull).with_name("orilla-was-here")
FLOATS = Storage("FloatStorage", "k", 12)
REFUSED = {
    "os.system": file_of(OrderedDict(a=Call(Global("os", "system"), f"touch {EVIL}")), {"k": VALUES}),
    "posix.system": dumped(MAGIC) + dumped(PROTOCOL) + dumped(Call(Global("posix", "system"), f"touch {EVIL}")),
    "eval": file_of(Call(Global("builtins", "eval"), "1"), {"k": VALUES}),
    "numpy": file_of(OrderedDict(a=Call(Global("numpy", "ndarray"), (1,))), {"k": VALUES}),
    "dotted name": file_of(OrderedDict(a=Global("collections", "OrderedDict.__class__")), {"k": VALUES}),
    "torch.load": file_of(OrderedDict(a=Call(Global("torch", "load"), "x")), {"k": VALUES}),
    "unknown storage": file_of(OrderedDict(a=tensor(Storage("QUInt8Storage", "k", 12), (12,))), {"k": VALUES}),
    "view": file_of(OrderedDict(a=tensor(Storage("FloatStorage", "k", 12, ("v", 0, 1)), (12,))), {"k": VALUES}),
    "no tensor": file_of(OrderedDict(a=3), {"k": VALUES}),
    "no table": file_of([1, 2], {"k": VALUES}),
    "beyond its storage": file_of(OrderedDict(a=tensor(FLOATS, (3, 4), offset=1)), {"k": VALUES}),
    "overlapping": file_of(OrderedDict(a=tensor(FLOATS, (10**9, 10**9), strides=(0, 0))), {"k": VALUES}),
    "negative": file_of(OrderedDict(a=tensor(FLOATS, (-3, -4))), {"k": VALUES}),
    "no numbers": file_of(OrderedDict(a=tensor(FLOATS, ("3", "4"), strides=(1, 1))), {"k": VALUES}),  # type: ignore[arg-type]
    "two sizes": file_of(
        OrderedDict(a=tensor(FLOATS, (12,)), b=tensor(Storage("FloatStorage", "k", 11), (11,))), {"k": VALUES}
    ),
    "storage of another size": file_of(GOOD_TABLE, {"k": VALUES[:11]}),
    "storage missing": file_of(GOOD_TABLE, {"other": VALUES}),
    "storage too many": file_of(GOOD_TABLE, {"k": VALUES, "other": VALUES}),
    "bytes behind": GOOD + b"\0",
    "another magic": file_of(GOOD_TABLE, {"k": VALUES}, magic=1),
    "empty": b"",
    "zip": b"PK\x03\x04" + GOOD,
    # Memo places that would take 64 GiB before they fail.
    "huge memo": dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x02}r\xff\xff\xff\xff.",
    "huge text": dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x02X\xff\xff\xff\x7f.",
    "instance": dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x02(ios\nsystem\n.",
    "stack global": dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "extension": dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("case", REFUSED)
def test_everything_else_is_refused(case: str, read: Callable[[bytes], dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="refused as weights"):
        read(REFUSED[case])
    assert not EVIL.exists()


def test_a_file_cannot_alter_the_reader(read: Callable[[bytes], dict[str, Any]]) -> None:
    # BUILD on the function that makes tensors would set its attributes.
    spoiled = dumped(MAGIC) + dumped(PROTOCOL) + b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\0\0\0aK\x01sb."
    with pytest.raises(DataError):
        read(spoiled)
    np.testing.assert_array_equal(read(GOOD)["a"], VALUES.reshape(3, 4))


@settings(max_examples=60)
@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(DataError):
        _read_bytes(GOOD[:length])


@settings(max_examples=200)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_tensors_or_a_refusal(place: int, change: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= change
    try:
        found = _read_bytes(bytes(data))
    except DataError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


def _read_bytes(data: bytes) -> dict[str, Any]:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_torch_weights(file.name)


def test_the_digest_is_checked_before_anything_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(GOOD)
    assert read_torch_weights(path, sha256=hashlib.sha256(GOOD).hexdigest())
    with pytest.raises(DataError, match="sha256"):
        read_torch_weights(path, sha256="0" * 64)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing-here"):
        read_torch_weights(tmp_path / "nothing-here.pth")
