"""Samples as an `.npz` file: read a sample at a time, and what does not fit the model is said in two lines."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_converters.normalization import IDENTITY
from orilla_converters.ports import InputPort
from orilla_converters.raw.arrays import open_arrays
from orilla_converters.raw.samples import read_samples
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.preprocess import Preprocess

PORTS = (InputPort("angles", (3,)), InputPort("view", (4, 6, 3), IDENTITY))
ANGLES = np.arange(24, dtype=np.float32).reshape(8, 3)
VIEW = np.arange(8 * 72, dtype=np.int64).astype(np.uint8).reshape(8, 4, 6, 3)


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{"angles": ANGLES, "view": VIEW, **arrays})
    return path


def read(path: Path, calibration: int = 3) -> Any:
    folder = path.with_suffix("")
    folder.mkdir()
    return read_samples(path, PORTS, {"view": Preprocess((4, 6))}, calibration=calibration, seed=0, folder=folder)


def test_every_sample_calibrates_or_judges_and_its_inputs_stay_together(tmp_path: Path) -> None:
    found = read(written(tmp_path / "x.npz"))
    assert (found.calibrated_on, found.judged_on) == (3, 5)
    seen = []
    for files in (found.calibration, found.judged):
        for angles, view in zip(files["angles"], files["view"], strict=True):
            place = int(angles[0]) // 3
            assert np.array_equal(view, VIEW[place])
            seen.append(place)
    assert sorted(seen) == list(range(8))


def test_compressed_files_are_read_and_half_at_most_calibrates(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", angles=ANGLES, view=VIEW)
    found = read(tmp_path / "x.npz", calibration=100)
    assert (found.calibrated_on, found.judged_on) == (4, 4)


def test_copies_of_what_calibrates_do_not_judge(tmp_path: Path) -> None:
    same = {"angles": np.zeros_like(ANGLES), "view": np.zeros_like(VIEW)}
    with pytest.raises(DataError, match="the same as those that calibrate"):
        read(written(tmp_path / "x.npz", **same))
    same["angles"][:2] = ANGLES[:2] + 1
    found = read(written(tmp_path / "y.npz", **same), calibration=1)
    assert found.calibrated_on == 1
    assert (found.judged_on < 7) == bool(found.notes)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"other": ANGLES}, "has an array 'other' too many"),
        ({"view": VIEW.astype(np.float32)}, r"'view' is float32\[8, 4, 6, 3\]"),
        ({"angles": ANGLES.astype(np.float64)}, r"takes float32\[samples, 3\]"),
        ({"angles": ANGLES[:, :2]}, r"'angles' is float32\[8, 2\]"),
        ({"angles": np.float32(1)}, r"'angles' is float32\[\]"),
        ({"angles": ANGLES[:7]}, "different numbers of samples: angles 7, view 8"),
        ({"angles": np.asfortranarray(ANGLES)}, "Fortran's order"),
        ({"angles": np.where(ANGLES == 5, np.nan, ANGLES)}, "sample 1 of 'angles' holds values that are not finite"),
        ({"angles": np.where(ANGLES == 23, np.inf, ANGLES)}, "sample 7 of 'angles' holds values that are not finite"),
        ({"angles": ANGLES[:1], "view": VIEW[:1]}, "at least two"),
        ({"angles": ANGLES[:0], "view": VIEW[:0]}, "holds 0 sample"),
        ({"angles": np.array([{}] * 8, dtype=object)}, "'angles'"),
    ],
)
def test_what_does_not_fit_is_refused(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) <= 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", angles=ANGLES)
    with pytest.raises(DataError, match="has no array 'view'; it holds angles"):
        read(tmp_path / "x.npz")
    for name, content in (("none", None), ("text", b"hello"), ("empty", b"")):
        path = tmp_path / f"{name}.npz"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match="there is no such file" if content is None else "is no .npz file"):
            read(path)


def test_the_other_kind_of_data_is_refused_with_what_the_model_takes(tmp_path: Path) -> None:
    options: Any = {"calibration": 3, "seed": 0, "folder": tmp_path}
    made = {"view": Preprocess((4, 6))}
    with pytest.raises(UsageError, match=r"takes angles float32\[3\], view uint8\[4x6x3\].*does not hold that"):
        read_samples(tmp_path, PORTS, made, **options)
    with pytest.raises(UsageError, match="a folder of pictures"):
        read_samples(tmp_path / "x.npz", PORTS[1:], made, **options)


def damaged(place: int, value: int) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, angles=ANGLES, view=VIEW)
    data = bytearray(stream.getvalue())
    data[place % len(data)] ^= value
    return bytes(data)


@given(st.integers(0, 5000), st.integers(1, 255))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.npz"
    path.write_bytes(damaged(place, value))
    try:
        with open_arrays(path, PORTS) as arrays:
            rows = [np.stack(list(arrays[port.name])) for port in PORTS]
    except DataError:
        return
    assert [row.shape for row in rows] == [ANGLES.shape, VIEW.shape]


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz") as whole, zipfile.ZipFile(tmp_path / "y.npz", "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, whole.read(name)[:-1])
    with pytest.raises(DataError, match="it is cut"):
        read(tmp_path / "y.npz")
