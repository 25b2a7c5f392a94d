"""What is run: a folder of 1280x720 JPEGs and videos of the same pictures, made from the photos once."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import test_data

SIZE = (1280, 720)
QUALITY = 90
RATE = 30
FRAMES_A_PHOTO = 6
CODECS = {
    "mjpeg": ("avi", ["-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"]),
    "h264": ("mp4", ["-c:v", "libx264", "-preset", "medium", "-crf", "21", "-pix_fmt", "yuv420p"]),
    "mpeg4": ("avi", ["-c:v", "mpeg4", "-q:v", "3", "-pix_fmt", "yuv420p"]),
}


def make_folder(target: Path, count: int) -> list[Path]:
    """The first photos, one a class, enlarged to 1280x720 and saved as JPEGs."""
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(test_data() / "imagenet_samples_256.zip") as photos:
        names = sorted(name for name in photos.namelist() if name.endswith(".jpg"))[:count]
        paths = [target / Path(name).name for name in names]
        for name, path in zip(names, paths, strict=True):
            if not path.exists():
                photo = cv2.imdecode(np.frombuffer(photos.read(name), np.uint8), cv2.IMREAD_COLOR)
                assert photo is not None
                large = cv2.resize(photo, SIZE, interpolation=cv2.INTER_CUBIC)
                cv2.imwrite(str(path), large, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return paths


def make_video(pictures: list[Path], codec: str, target: Path, frames: int) -> Path:
    """A slow pan over each picture for a few frames, so that a codec has motion to code."""
    suffix, options = CODECS[codec]
    path = target / f"{codec}.{suffix}"
    if path.exists():
        return path
    program = shutil.which("ffmpeg")
    if program is None:
        raise SystemExit("The videos are made by the ffmpeg program, which is not here.")
    width, height = SIZE
    command = [program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}"]
    command += ["-r", str(RATE), "-i", "-", *options, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for number in range(frames):
            picture = cv2.imread(str(pictures[number // FRAMES_A_PHOTO % len(pictures)]))
            assert picture is not None
            shift = 4 * (number % FRAMES_A_PHOTO)
            encoder.stdin.write(np.roll(picture, shift, axis=1).tobytes())
    if encoder.returncode:
        path.unlink(missing_ok=True)
        raise SystemExit(f"ffmpeg could not make {path.name}.")
    return path
