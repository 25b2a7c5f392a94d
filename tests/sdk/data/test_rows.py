"""Rows in a file: what was written comes back by its place, up to the limit, and a file that was cut is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from orilla.data.rows import Rows
from orilla_runtime.errors import DataError


@pytest.mark.parametrize(("kind", "shape"), [(np.uint8, (4, 3, 1)), (np.float32, (5,))])
def test_rows_come_back_by_place_in_many_threads(kind: type, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (50, *shape)).astype(kind)
    with Rows(tmp_path / "rows", shape, kind) as rows:
        assert all(rows.append(value) for value in values)
        asked = [np.random.default_rng(seed).integers(0, 50, 20) for seed in range(30)]
        with ThreadPoolExecutor(4) as pool:
            for places, found in zip(asked, pool.map(rows.read, asked), strict=True):
                np.testing.assert_array_equal(found, values[places])
        assert rows.read([]).shape == (0, *shape)


def test_the_limit_is_kept(tmp_path: Path) -> None:
    with Rows(tmp_path / "rows", (2,), np.uint8, limit=2) as rows:
        assert [rows.append(np.zeros(2, np.uint8)) for _ in range(4)] == [True, True, False, False]
        assert len(rows) == 2


def test_a_file_that_was_cut_is_told(tmp_path: Path) -> None:
    with Rows(tmp_path / "rows", (4,), np.uint8) as rows:
        rows.append(np.arange(4, dtype=np.uint8))
        (tmp_path / "rows").write_bytes(b"ab")
        with pytest.raises(DataError, match="was cut"):
            rows.read([0])
