"""Fixtures that many tests share: the outside test data, and small real pictures."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,797 real handwritten digits, a folder a class."""
    from orilla.data.digits import write_digits

    folder = tmp_path_factory.mktemp("digits-data") / "digits"
    write_digits(folder)
    return folder


@pytest.fixture(scope="session")
def digits_model(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small net trained on the digits, in 16x16 grey."""
    import orilla

    path = tmp_path_factory.mktemp("digits-model") / "digits.keras"
    orilla.train(digits_folder, output=path, image_size=16, seed=0)
    return path


@pytest.fixture(scope="session")
def digits_bundle(digits_folder: Path, digits_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits model as a bundle of six proved artifacts."""
    import orilla

    path = tmp_path_factory.mktemp("digits-bundle") / "digits.orilla"
    orilla.convert(digits_model, data=digits_folder, output=path, seed=0)
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """In CI everything is there that a test may need, so a skip is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}: {report.longrepr}"
    return report
