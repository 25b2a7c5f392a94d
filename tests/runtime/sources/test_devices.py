"""Cameras are found by number and by the name that survives a restart."""

from __future__ import annotations

from pathlib import Path

from orilla_runtime.sources.devices import CameraDevice, list_cameras


def test_no_cameras(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == ()


def test_cameras_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "dev/v4l/by-id").mkdir(parents=True)
    for number in (10, 2):
        (tmp_path / f"dev/video{number}").touch()
        (tmp_path / f"sys/class/video4linux/video{number}").mkdir(parents=True)
    (tmp_path / "dev/videotape").touch()
    (tmp_path / "sys/class/video4linux/video2/name").write_text("Line camera\n")
    (tmp_path / "dev/v4l/by-id/usb-Line_camera-index0").symlink_to(tmp_path / "dev/video2")
    assert list_cameras(tmp_path) == (
        CameraDevice("/dev/video2", "Line camera", "/dev/v4l/by-id/usb-Line_camera-index0"),
        CameraDevice("/dev/video10", "", None),
    )
