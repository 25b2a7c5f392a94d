"""Fixtures that many tests share: the outside test data, and small real pictures."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models, photos and videos (`ORILLA_TEST_DATA`, by default `../shared/data`)."""
    folder = Path(os.environ.get("ORILLA_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "models" / "models.json").is_file():
        message = f"no test data at {folder} (set ORILLA_TEST_DATA)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def unzipped(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks an archive of the test data once and gives its folder: `unzipped("video.zip")`."""
    folders: dict[str, Path] = {}

    def unzip(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(Path(name).stem)
            with zipfile.ZipFile(shared_data / name) as archive:
                archive.extractall(folders[name])
        return folders[name]

    return unzip
