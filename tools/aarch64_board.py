"""An emulated aarch64 board in a folder: Debian's Python with the device environments of the locks, run by QEMU.

    python tools/aarch64_board.py FOLDER
    FOLDER/litert/orilla info parts.orilla --verify
    FOLDER/onnx/orilla run parts.orilla photos/

It needs root for debootstrap, and Debian's packages qemu-user-static, debootstrap and dpkg; nothing of it changes the
machine outside FOLDER. An emulation: right for "it installs, runs, and gives the same answers", wrong for any speed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SUITE, PYTHON = "bookworm", "3.11"
EXTRAS = ("litert", "onnx")
TOOLS = ("qemu-aarch64-static", "debootstrap", "dpkg-deb", "apt-get")
TAGS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")

# Without these the engines ask the host's files which processor they run on, and crash on the answer: x86.
CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


def missing() -> str:
    """Why no board can be made here; empty where one can."""
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        return f"the locks are read for this Python's version, and the board has Python {PYTHON}"
    if os.name != "posix" or os.getuid() != 0:
        return "debootstrap needs root"
    gone = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(gone)}" if gone else ""


def make_board(folder: Path) -> None:
    """Make what is not there yet: the system once, Orilla itself every time."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    if not (root / "proc" / "cpuinfo").is_file():
        _system(folder, root)
    for extra in EXTRAS:
        site = folder / extra / "site"
        if not site.is_dir():
            _unpack(_download(folder / extra / "wheels", extra), site)
        _unpack(_own_wheel(folder / extra), site)
        _launcher(folder / extra, root)


def _system(folder: Path, root: Path) -> None:
    debs = folder / "debootstrap"
    command = ["debootstrap", "--arch=arm64", "--foreign", "--variant=minbase", "--include=python3", SUITE, str(debs)]
    _run(*command, _mirror())
    for package in sorted((debs / "var" / "cache" / "apt" / "archives").glob("*.deb")):
        _run("dpkg-deb", "-x", package, root)
    cpus = root / "sys" / "devices" / "system" / "cpu"
    for place in (cpus, root / "proc"):
        place.mkdir(parents=True, exist_ok=True)
    (cpus / "possible").write_text("0\n")
    (cpus / "present").write_text("0\n")
    (root / "proc" / "cpuinfo").write_text(CPUINFO)
    shutil.rmtree(debs)


def _mirror() -> str:
    """Where this machine's own packages come from."""
    listed = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    return listed.split()[0]


def _download(wheels: Path, extra: str) -> list[Path]:
    platforms = [part for tag in TAGS for part in ("--platform", f"{tag}_aarch64")]
    target = ("--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp", *platforms)
    lock = REPOSITORY / "locks" / f"{extra}.txt"
    _pip("download", "--no-deps", "--require-hashes", *target, "-r", lock, "-d", wheels)
    return sorted(wheels.glob("*.whl"))


def _own_wheel(folder: Path) -> list[Path]:
    with tempfile.TemporaryDirectory() as place:
        _pip("wheel", "--no-deps", "--no-build-isolation", "-w", place, REPOSITORY)
        (made,) = Path(place).glob("*.whl")
        return [Path(shutil.copy(made, folder))]


def _unpack(wheels: list[Path], site: Path) -> None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _launcher(folder: Path, root: Path) -> None:
    python = f"qemu-aarch64-static -cpu cortex-a72 -L '{root}' '{root}/usr/bin/python{PYTHON}'"
    setting = f"PYTHONPATH='{folder / 'site'}' PYTHONDONTWRITEBYTECODE=1"
    for name, arguments in (("python", ""), ("orilla", "-c 'from orilla.cli import main; main()' ")):
        script = folder / name
        script.write_text(f'#!/bin/sh\n{setting} exec {python} {arguments}"$@"\n')
        script.chmod(0o755)


def _pip(*arguments: str | Path) -> None:
    _run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="Make an emulated aarch64 board in FOLDER.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    reason = missing()
    if reason:
        sys.stderr.write(f"error: {reason}\n")
        return 1
    make_board(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
