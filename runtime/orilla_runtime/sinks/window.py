"""A window that shows what the model sees and says."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress

import cv2

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record, StopRun
from orilla_runtime.sinks.drawing import draw
from orilla_runtime.sources.base import Image

_TITLE = "Orilla"
_SECONDS_A_PICTURE = 2.0
_STEP_MS = 20
_MAX_WINDOW = (1280, 960)
_STOP_KEYS = {ord("q"), ord("Q"), 27}


class WindowSink:
    """Shows every frame with its result; q, Esc or closing the window ends the run. Use it in the main thread only.

    A video is shown no faster than its time stamps say; a picture stays for 2 seconds or until a key is pressed.

    Raises:
        SinkError: there is no screen, or this OpenCV has no windows.
    """

    main_thread = True

    def __init__(self) -> None:
        self._shown = ""
        self._since = self._first_pts = 0.0
        self._is_picture = False
        self._require_screen()
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise SinkError("No window can be opened here.", "Use --save or --jsonl.") from error
        self._open = True
        self._sized = False

    def write(self, record: Record) -> None:
        """Show one frame."""
        frame = record.frame
        if frame is None:
            return
        try:
            if self._is_picture and frame.source != self._shown:
                self._wait(self._since + _SECONDS_A_PICTURE)
            self._show(draw(frame.image, record.result))
            # A second frame of the same name: no picture, but a camera.
            self._is_picture = frame.pts_seconds is None and frame.source != self._shown
            if frame.source != self._shown:
                self._shown, self._since, self._first_pts = frame.source, time.monotonic(), frame.pts_seconds or 0.0
            due = self._since + (frame.pts_seconds or 0.0) - self._first_pts
            self._wait(min(due, time.monotonic() + _SECONDS_A_PICTURE))
        except cv2.error as error:
            raise SinkError("The window was lost.", "Use --save or --jsonl.") from error

    def finish(self, counts: Counts) -> None:  # noqa: ARG002 - the door's signature
        """The last picture stays as long as the others."""
        if self._is_picture:
            self._wait(self._since + _SECONDS_A_PICTURE)

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self._open:
            self._open = False
            with suppress(cv2.error):  # the user closed it
                cv2.destroyWindow(_TITLE)

    def _show(self, drawing: Image) -> None:
        if not self._sized:
            self._sized = True
            scale = min(1.0, _MAX_WINDOW[0] / drawing.shape[1], _MAX_WINDOW[1] / drawing.shape[0])
            cv2.resizeWindow(_TITLE, max(1, int(drawing.shape[1] * scale)), max(1, int(drawing.shape[0] * scale)))
        cv2.imshow(_TITLE, drawing)

    def _wait(self, until: float) -> None:
        """Draw and take keys until a moment of the monotonic clock, at least once; a key ends the wait."""
        while True:
            left = until - time.monotonic()
            key = cv2.waitKey(min(_STEP_MS, max(1, int(left * 1000))))
            if key != -1 and key & 0xFF in _STOP_KEYS:
                raise StopRun("a key was pressed")
            if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
                raise StopRun("the window was closed")
            if left * 1000 <= _STEP_MS or key != -1:
                return

    @staticmethod
    def _require_screen() -> None:
        if re.search(r"^\s*GUI:\s+NONE", cv2.getBuildInformation(), re.MULTILINE):
            raise SinkError(
                "This OpenCV has no windows (it is a headless build).",
                "Use --save or --jsonl; or, where there is a screen: pip uninstall opencv-python-headless, then "
                "pip install opencv-python.",
            )
        # Qt ends the whole process where it finds no screen, so this is asked before.
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise SinkError("There is no screen here (DISPLAY is not set).", "Use --save or --jsonl.")
