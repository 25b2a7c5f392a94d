"""A factory program around the runtime: part trigger, verdict before a deadline, reject gate, and a record of it all.

python samples/06_inspection_app.py parts.orilla photos/ --good ok --database line3.db

A part is passed only by a good verdict in time. A wrong class, an unsure one, a picture that cannot be taken and an
answer that is late all leave the gate where it rests: at reject. Trigger, camera and gate are simulated here; with real
ones only the three small classes below change.
"""

import argparse
import json
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2

import orilla

TABLE = """CREATE TABLE IF NOT EXISTS parts (
    part INTEGER, triggered_at TEXT, verdict TEXT, reason TEXT, label TEXT, score REAL, scores TEXT,
    verdict_ms REAL, infer_ms REAL, deadline_ms REAL, bundle TEXT, artifact TEXT, engine TEXT)"""


class Trigger:
    """Stands for the light barrier: a part every `seconds`, one for each picture."""

    def __init__(self, parts: int, seconds: float) -> None:
        self.parts, self.seconds = parts, seconds

    def __iter__(self):
        for part in range(self.parts):
            time.sleep(self.seconds)
            yield part


class Camera:
    """Stands for the camera: part N looks like picture N."""

    def __init__(self, folder: Path) -> None:
        self.pictures = sorted(path for path in folder.rglob("*") if path.is_file())

    def take(self, part: int):
        image = cv2.imread(str(self.pictures[part]))
        if image is None:
            raise OSError(f"no picture of part {part}")
        return image


class Gate:
    """Stands for an output of the controller. It rests at reject, also when this program dies."""

    def let_pass(self, part: int) -> None:
        print(f"  gate: part {part} passes")


@dataclass
class Verdict:
    verdict: str  # OK, NG or unsure
    reason: str = ""
    result: object = None
    timing: object = None


class Inspector:
    """Asks the model in a thread of its own, so that a late answer can be given up; one thread, since the model
    answers one call after the other in any case, and with all its CPU threads."""

    def __init__(self, bundle: str, rules: orilla.Rules, good: set[str], deadline: float) -> None:
        self.classifier = orilla.load(bundle, top=3)
        rules.require_labels(self.classifier.labels)
        if unknown := good - set(self.classifier.labels):
            raise SystemExit(f"The bundle has no class {', '.join(sorted(unknown))}.")
        self.rules, self.good, self.deadline = rules, good, deadline
        self.worker = ThreadPoolExecutor(1)

    def warm_up(self, image) -> None:
        self.worker.submit(self.classifier, image).result()

    def inspect(self, camera: Camera, part: int, due: float) -> Verdict:
        answer: Future = self.worker.submit(lambda: self.classifier.process(camera.take(part)))
        try:
            result, timing = answer.result(timeout=max(0.0, due - time.monotonic()))
        except TimeoutError:
            answer.cancel()  # What has not begun must not make the next part late too.
            return Verdict("unsure", f"no answer within {self.deadline * 1000:.0f} ms")
        except (OSError, orilla.OrillaError) as error:
            return Verdict("unsure", str(error))
        decision = self.rules.decide(result.predictions)
        if decision.class_id is None:
            return Verdict("unsure", decision.reason, result, timing)
        return Verdict("OK" if decision.label in self.good else "NG", "", result, timing)


def row(inspector: Inspector, part: int, at: datetime, spent: float, found: Verdict) -> tuple:
    model, result, timing = inspector.classifier, found.result, found.timing
    scores = {one.label: round(one.score, 4) for one in result.predictions} if result else {}
    best = result.top if result else None
    return (
        part, at.isoformat(timespec="milliseconds"), found.verdict, found.reason,
        best and best.label, best and best.score, json.dumps(scores),
        round(spent * 1000, 2), timing and round(timing.infer, 2), inspector.deadline * 1000,
        model.bundle_id, model.artifact, model.engine,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("pictures", type=Path, help="one for each part that comes by")
    parser.add_argument("--good", action="append", required=True, help="a class that passes; may be repeated")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--margin", type=float, default=0.2)
    parser.add_argument("--deadline", type=float, default=0.2, help="seconds from the trigger to the verdict")
    parser.add_argument("--every", type=float, default=0.02, help="seconds between two parts")
    parser.add_argument("--busy-at", type=int, help="simulate a computer that is busy at this part")
    parser.add_argument("--database", default="parts.db")
    options = parser.parse_args()

    camera, gate = Camera(options.pictures), Gate()
    rules = orilla.Rules(threshold=options.threshold, margin=options.margin)
    inspector = Inspector(options.bundle, rules, set(options.good), options.deadline)
    inspector.warm_up(camera.take(0))  # The first call of an engine is its slowest.
    database = sqlite3.connect(options.database)
    database.execute(TABLE)
    counts = {"OK": 0, "NG": 0, "unsure": 0}
    for part in Trigger(len(camera.pictures), options.every):
        start, at = time.monotonic(), datetime.now(UTC)
        if part == options.busy_at:
            inspector.worker.submit(time.sleep, 2 * options.deadline)
        found = inspector.inspect(camera, part, start + options.deadline)
        if found.verdict == "OK":
            gate.let_pass(part)
        spent = time.monotonic() - start  # The gate is set before anything is written.
        with database:
            values = row(inspector, part, at, spent, found)
            database.execute(f"INSERT INTO parts VALUES ({', '.join('?' * len(values))})", values)
        counts[found.verdict] += 1
        print(f"part {part}: {found.verdict} {found.reason}".rstrip())
    database.close()
    inspector.worker.shutdown()
    inspector.classifier.close()
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


if __name__ == "__main__":
    main()
