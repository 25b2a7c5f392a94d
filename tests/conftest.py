"""Fixtures that many tests share: the outside test data, and small real pictures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = {
    "desk": re.compile(r"\b(desk|digits_model|digits_bundle): "),
    "converters": re.compile(r"\b(bench|converted|ruined): "),
}
"""Fixtures that take half a minute to make: the files whose tests ask for one of a group run in one process."""


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None, None, None]:
    """What was once measured on this machine must not choose the engine of a test, nor a test that of its user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


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


@dataclass(frozen=True)
class Desk:
    """A folder as the quickstart leaves it, after the README's first program ran in it, and what that printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="session")
def desk(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The README's first program, run once: it trains on the digits and makes a bundle of six proved artifacts."""
    from orilla.data.digits import write_video

    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(digits_folder, folder / "quickstart" / "digits")
    shown = [sorted((digits_folder / digit).glob("*.png"))[0] for digit in "0123456789"]
    write_video(shown, folder / "quickstart" / "digits.avi")
    program = readme_programs()[0][0]
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return Desk(folder, done.stdout)


def readme_programs() -> list[tuple[str, str]]:
    """The README's Python programs, each with the output that it promises."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="session")
def digits_model(desk: Desk) -> Path:
    """A small net trained on the digits, in 16x16 grey."""
    return desk.folder / "digits.keras"


@pytest.fixture(scope="session")
def digits_bundle(desk: Desk) -> Path:
    """The digits model as a bundle of six proved artifacts."""
    return desk.folder / "digits.orilla"


class ByFixture(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share a costly fixture stay in one process when the suite runs in several; the others go by file.

    `--dist loadgroup` would say it with marks, but pytest-xdist 3.8 cannot tell them to pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return _scope(path)


@cache
def _scope(path: str) -> str:
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    return next((group for group, fixtures in SHARED.items() if fixtures.search(text)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFixture:
    """How pytest-xdist hands out the tests."""
    return ByFixture(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each room's tests took, setting up included: the seconds of all processes, added up."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0].rpartition("/")[0]] += report.duration
    terminalreporter.section("seconds by folder")
    for folder, total in seconds.most_common():
        terminalreporter.write_line(f"{total:7.1f} s  {folder}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """In CI everything is there that a test may need, so a skip is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}: {report.longrepr}"
    return report
