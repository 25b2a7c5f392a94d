"""A camera or a stream, read in a process of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import mmap
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.capture_child import DAMAGED, ENDED, HEADER, LOST, SLOTS
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.frames import FramePool
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.reports import Reports
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

_END_SECONDS = 2.0
_LONGEST_LINE = 4096
_LATELY_SECONDS = 3.0  # What a library printed longer ago is not why the connection ended.


class CaptureProcess:
    """One attempt to read a camera or a stream in a child process; implements `Connection`.

    A read that hangs is ended by killing the child; a crash on damaged bytes is a lost connection; and what the
    libraries in it write to standard error, addresses included, is masked and goes to the log, the same line at most
    once a minute. A 720p frame costs 0.15 ms on its way through shared memory.

    Args:
        kind: `camera`, `http` or `rtsp`.
        what: the device, or the address with its credentials; it travels over a pipe, never as an argument.
        hide: takes the secrets out of a text.
        notes: what was printed lately, kept from one attempt to the next.
    """

    def __init__(
        self, kind: str, what: str, options: SourceOptions, *, name: str, hide: Callable[[str], str], notes: Reports
    ) -> None:
        self._job = {"kind": kind, "what": what, "options": asdict(options)}
        self._name = name
        self._hide = hide
        self._notes = notes
        self._lock = threading.Lock()
        self._aborted = False
        self._child: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._said = ("", 0.0)
        self._memory: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._pool = FramePool()

    def open(self) -> None:
        """Start the process; its first frame tells whether it could connect. Raises Lost."""
        if not sys.executable or getattr(sys, "frozen", False):
            # What stands there is the whole program, which would start itself again and again.
            raise Lost("cannot be read: this program was packed without a Python that could read it")
        self._memory = _shared_memory()
        number = self._memory.fileno()
        posix = os.name == "posix"
        with self._lock:
            if self._aborted:
                raise Lost("was closed")
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "orilla_runtime.sources.capture_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "OPENBLAS_NUM_THREADS": "1",  # numpy's; it computes nothing there, and each costs memory.
                },
                pass_fds=(number,) if posix else (),
                start_new_session=True,  # Ctrl-C is for the parent, which ends it.
            )
        self._listener = threading.Thread(target=self._listen, args=(self._child.stderr,), daemon=True)
        self._listener.start()
        self._tell(json.dumps({**self._job, "memory": number if posix else self._memory.name}).encode() + b"\n")

    def read(self) -> Arrival | None:
        """The next frame, copied out of the shared memory. Raises Lost."""
        head = self._answer(HEADER.size)
        kind, slot, height, width, slot_bytes, spent_ns, age_ns, skipped, text_bytes = HEADER.unpack(head)
        text = self._hide(self._answer(text_bytes).decode("utf-8", "replace"))
        if kind == ENDED:
            return None
        if kind == LOST:
            raise Lost(self._why(text))
        if kind == DAMAGED:
            return arrival(lambda: _refuse(text), skipped=skipped)
        image = self._copied((height, width, 3), slot_bytes, slot)
        self._tell(bytes([slot]))
        return arrival(lambda: image, spent_ns=spent_ns, skipped=skipped, age_ns=age_ns)

    def abort(self) -> None:
        """Kill the process: whatever it waits for, reading from it ends."""
        with self._lock:
            self._aborted = True
            if self._child is not None and self._child.poll() is None:
                self._child.kill()

    def close(self) -> None:
        """End the process and release the shared memory."""
        self.abort()
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_END_SECONDS)
            if self._listener is not None:
                self._listener.join(_END_SECONDS)
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
                _close(pipe)
        if self._map is not None:
            self._map.close()
        _close(self._memory)
        if self._memory is not None and isinstance(self._memory.name, str):
            with contextlib.suppress(OSError):
                Path(self._memory.name).unlink()

    def _answer(self, size: int) -> bytes:
        assert self._child is not None
        assert self._child.stdout is not None
        data = self._child.stdout.read(size)
        if len(data) < size:
            raise Lost(self._why("is lost: its process ended"))
        return data

    def _copied(self, shape: tuple[int, int, int], slot_bytes: int, slot: int) -> Image:
        frames = self._frames(slot_bytes)
        # No view of the memory may be left, or it could not be mapped anew.
        shared = np.frombuffer(frames, np.uint8, math.prod(shape), slot * slot_bytes).reshape(shape)

        def read(buffer: Image | None) -> tuple[bool, object]:
            assert buffer is not None
            np.copyto(buffer, shared)
            return True, buffer

        image = self._pool.fill(shape, read)
        assert image is not None
        return image

    def _frames(self, slot_bytes: int) -> mmap.mmap:
        size = SLOTS * slot_bytes
        if self._map is None or len(self._map) != size:
            if self._map is not None:
                self._map.close()
            assert self._memory is not None
            self._map = mmap.mmap(self._memory.fileno(), size, access=mmap.ACCESS_READ)
        return self._map

    def _tell(self, data: bytes) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # Reading from a child that has ended says so.
            self._child.stdin.write(data)
            self._child.stdin.flush()

    def _why(self, reason: str) -> str:
        """The reason, made more exact by what a library printed last, and by how the process ended."""
        assert self._child is not None
        status = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._child.wait(_END_SECONDS)
        if self._listener is not None:
            self._listener.join(_END_SECONDS)
        if status is not None and status < 0 and not self._aborted:
            return f"is lost: the process that reads it crashed (signal {-status})"
        said, at = self._said
        if not said or time.monotonic() - at > _LATELY_SECONDS or not reason.endswith("answer"):
            return reason
        return next((meaning for words, meaning in _MEANINGS if words in said), f"{reason} ({said})")

    def _listen(self, pipe: IO[bytes]) -> None:
        """The child's standard error, masked."""
        with contextlib.suppress(OSError, ValueError):  # Closed meanwhile
            while line := pipe.readline(_LONGEST_LINE):
                text = printable(self._hide(line.decode("utf-8", "replace").strip()))
                text = re.sub(r"^\[[^\]]*@ (0x)?[0-9a-f]+\] ?", "", text)
                if not text:
                    continue
                if not _DECODER.match(line):
                    self._said = (text, time.monotonic())
                if self._notes.due(text) is not None:
                    _log.info("%s: %s", printable(self._name), text)


_DECODER = re.compile(rb"\[(?!rtsp|rtp|tcp|udp|tls|sdp)")  # Its complaints say nothing about the connection.
_MEANINGS = (
    # FFmpeg's words, and what they mean for the one who wrote the address.
    ("401 ", "refuses the user or the password (401)"),
    ("403 ", "refuses the user or the password (403)"),
    ("404 ", "answers 404 Not Found"),
    ("Connection refused", "refuses the connection"),
    ("Failed to resolve hostname", "is not known by that name"),
    ("certificate verify failed", "has a certificate that is not trusted"),
    ("No route to host", "cannot be reached: no route to host"),
    ("timed out", "does not answer in time"),
)


def _refuse(text: str) -> Image:
    raise SourceError(text)


def _shared_memory() -> IO[bytes]:
    """A file that two processes map and that goes away with them: in memory on Linux, without a name where possible."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("orilla-frames"), "r+b", buffering=0)
    if os.name == "posix":
        return tempfile.TemporaryFile(buffering=0)
    return tempfile.NamedTemporaryFile(prefix="orilla-frames-", buffering=0, delete=False)


def _close(pipe: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError):  # What is still to be flushed has no reader any more.
        if pipe is not None:
            pipe.close()
