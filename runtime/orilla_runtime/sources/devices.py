"""Which cameras a Linux machine has, by the names that survive a restart."""

from __future__ import annotations

import re
from pathlib import Path

from orilla_runtime.records import dataclass


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A video device. `stable` is its name under /dev/v4l/by-id, which does not change with the order of plugging."""

    path: str
    name: str
    stable: str | None


def list_cameras(root: Path = Path("/")) -> tuple[CameraDevice, ...]:
    """The video devices under `root`, in the order of their numbers; none where the system is not Linux."""
    stable = {
        link.resolve().name: f"/{link.relative_to(root).as_posix()}"
        for link in sorted((root / "dev/v4l/by-id").glob("*"), reverse=True)
    }
    devices = [path for path in (root / "dev").glob("video*") if path.name[5:].isdecimal()]
    return tuple(
        CameraDevice(f"/dev/{path.name}", _name(root, path.name), stable.get(path.name))
        for path in sorted(devices, key=lambda path: int(path.name[5:]))
    )


def _name(root: Path, device: str) -> str:
    try:
        return (root / "sys/class/video4linux" / device / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def is_camera(text: str) -> bool:
    """`0`, `/dev/video0` and `/dev/v4l/by-id/…` mean cameras."""
    return re.fullmatch(r"[0-9]{1,4}|/dev/video[0-9]+|/dev/v4l/.*", text) is not None
