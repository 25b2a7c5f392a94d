"""A process that reads one camera or stream: it can be killed when it hangs, and what its libraries print is caught.

It is told what to read by a line of JSON on standard input, so nothing of an address is among its arguments; then one
byte for each slot that is free again. Frames go through shared memory, what is to be said of them to standard output.
It ends when its standard input does: with its parent.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, BinaryIO

HEADER = struct.Struct("<BBIIQQQIH")
"""What it is, slot, height, width, bytes of a slot, nanoseconds spent and since the capture, frames skipped before it,
bytes of text."""

FRAME, DAMAGED, LOST, ENDED = range(4)
SLOTS = 2
_LONGEST_TEXT = 1000


def main() -> None:
    """Read until the camera is lost or the parent goes away."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # They are for the parent, which then ends this process.
    orders, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # A library that prints must not write between the answers.
    job = json.loads(orders.readline())
    free = _Free(orders)
    os.environ["OPENCV_LOG_LEVEL"] = "ERROR"
    from orilla_runtime.sources.capture_jobs import connection_of

    connection, options = connection_of(job)
    notes = _Notes()
    ring = _Ring(job["memory"], free)
    # Decoding may wait for who wants the picture, but for FFmpeg and drivers, which decode as they read.
    decodes_late = job["kind"] == "http"
    newest = _Newest(connection, notes, decodes_late=decodes_late)
    pause = 1 / options.fps if job["kind"] != "camera" and options.fps else 0.0
    with suppress(BrokenPipeError):
        for found, damage, skipped in newest.items(pause):
            _answer(found, damage, skipped, ring, notes if decodes_late else None, answers)
        _send(answers, ENDED if newest.reason is None else LOST, text=newest.reason or "")
    # Releasing may hang as reading does; the end of the process releases everything.
    os._exit(0)


def _answer(found: Any, damage: str | None, skipped: int, ring: _Ring, notes: _Notes | None, answers: BinaryIO) -> None:
    """One arrival, to the parent; `notes` where it is only decoded now."""
    from orilla_runtime.errors import SourceError

    started = time.perf_counter_ns()
    image = None
    try:
        image = found.decode()
    except (SourceError, ValueError, MemoryError) as error:
        damage = str(error)
    if notes is not None:
        damage = notes.damage() or damage
    if image is None or damage:
        _send(answers, DAMAGED, skipped=skipped, text=damage or "")
        return
    height, width = image.shape[:2]
    slot = ring.put(image)
    spent = found.spent_ns + time.perf_counter_ns() - started
    # An age, because clocks of two processes need not agree.
    age = time.monotonic_ns() - found.captured_ns
    _send(answers, FRAME, slot, height, width, ring.slot_bytes, spent, age, skipped)


def _send(
    answers: BinaryIO,
    kind: int,
    slot: int = 0,
    height: int = 0,
    width: int = 0,
    slot_bytes: int = 0,
    spent: int = 0,
    age: int = 0,
    skipped: int = 0,
    text: str = "",
) -> None:
    data = text.encode("utf-8", "replace")[:_LONGEST_TEXT]
    answers.write(HEADER.pack(kind, slot, height, width, slot_bytes, spent, age, skipped, len(data)) + data)
    answers.flush()


class _Newest:
    """A thread that reads and keeps the newest arrival only, so that nothing grows old in a socket while it decodes."""

    def __init__(self, connection: Any, notes: _Notes, *, decodes_late: bool) -> None:
        self.reason: str | None = None
        self._connection = connection
        self._notes = notes
        self._decodes_late = decodes_late
        self._changed = threading.Condition()
        self._found: tuple[Any, str | None] | None = None
        self._skipped = 0
        self._over = False

    def items(self, pause: float) -> Iterator[tuple[Any, str | None, int]]:
        """Arrivals, what is wrong with each, and how many were skipped before it; `reason` then says why no more."""
        from orilla_runtime.sources.connection import Lost

        try:
            self._connection.open()
        except Lost as reason:
            self.reason = str(reason)
            return
        except Exception as error:
            self.reason = _failed(error)
            return
        self._notes.catch()
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._found is not None or self._over)
                item, self._found = self._found, None
                skipped, self._skipped = self._skipped, 0
            if item is None:
                self._notes.damage()
                return
            yield *item, skipped
            if pause:
                time.sleep(pause)

    def _read(self) -> None:
        from orilla_runtime.sources.connection import Lost

        reason: str | None = None
        try:
            while (found := self._connection.read()) is not None:
                damage = None if self._decodes_late else self._notes.damage()
                with self._changed:
                    self._skipped += found.skipped + (self._found is not None)
                    self._found = found, damage
                    self._changed.notify()
        except Lost as lost:
            reason = str(lost)
        except Exception as error:  # Whatever a driver raises is told to the parent.
            reason = _failed(error)
        with self._changed:
            self._over, self.reason = True, reason
            self._changed.notify()


def _failed(error: Exception) -> str:
    return f"failed: {' '.join(str(error).split()) or type(error).__name__}"


class _Notes:
    """What libraries print to the standard error of this process: the only way in which decoders tell of damage."""

    def __init__(self) -> None:
        self._shown = os.dup(2)
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - until the process ends

    def catch(self) -> None:
        """From now on, until `damage` passes it on."""
        os.dup2(self._file.fileno(), 2)

    def damage(self) -> str | None:
        """Pass on what was printed, and say what of it speaks of damage in a picture."""
        if os.fstat(self._file.fileno()).st_size == 0:
            return None
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        printed = os.read(self._file.fileno(), 65536)
        os.ftruncate(self._file.fileno(), 0)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        os.write(self._shown, printed)
        found = _DAMAGE.search(printed)
        if found is None:
            return None
        return f"a picture is damaged: {(found['ffmpeg'] or found['libjpeg']).decode('utf-8', 'replace').strip()}"


# libjpeg's words, and any of FFmpeg's decoders'. A few bytes too many behind a picture are common and harmless.
_DAMAGE = re.compile(
    rb"^(?:\[(?:h264|hevc|mjpeg|mpeg4|h263|mpeg2video|vp8|vp9|av1) @ [^\]]*\] (?P<ffmpeg>.*)"
    rb"|(?P<libjpeg>Corrupt JPEG data: (?![0-9]{1,2} extraneous).*|Premature end of JPEG file.*))$",
    re.MULTILINE,
)


class _Ring:
    """The shared memory, seen from the side that writes."""

    def __init__(self, memory: int | str, free: _Free) -> None:
        self._file: IO[bytes] = open(memory, "r+b", buffering=0)  # noqa: PTH123, SIM115 - a number, where it has no name
        self._free = free
        self._map: mmap.mmap | None = None
        self.slot_bytes = 0

    def put(self, image: Any) -> int:
        """Copy a picture into the next free slot, and say which."""
        import numpy as np

        slot = self._free.take()
        if image.nbytes > self.slot_bytes or self._map is None:
            # Never while the parent copies out of the slot that would move.
            self._free.wait_for_the_others()
            self._grow(image.nbytes)
        assert self._map is not None
        place = np.frombuffer(self._map, np.uint8, image.nbytes, slot * self.slot_bytes)
        np.copyto(place.reshape(image.shape), image)
        return slot

    def _grow(self, needed: int) -> None:
        if self._map is not None:
            self._map.close()
        self.slot_bytes = -(-needed // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        self._file.truncate(self.slot_bytes * SLOTS)
        self._map = mmap.mmap(self._file.fileno(), self.slot_bytes * SLOTS)


class _Free:
    """The slots that the parent does not use; a thread hears which it gives back, and when it is gone."""

    def __init__(self, orders: BinaryIO) -> None:
        self._changed = threading.Condition()
        self._slots = set(range(SLOTS))
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()

    def take(self) -> int:
        """A free slot, after waiting for it."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._slots))
            return self._slots.pop()

    def give(self, slot: int) -> None:
        with self._changed:
            self._slots.add(slot)
            self._changed.notify_all()

    def wait_for_the_others(self) -> None:
        """Until only the slot that was taken last is in use."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._slots) == SLOTS - 1)

    def _listen(self, orders: BinaryIO) -> None:
        while byte := orders.read(1):
            self.give(byte[0])
        os._exit(0)  # Also while a read hangs: the parent is gone, or has done with this camera.


if __name__ == "__main__":
    main()
