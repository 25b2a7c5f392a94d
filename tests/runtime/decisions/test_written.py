"""A decision stands in the results that are written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from orilla_runtime.decisions import Decider, Rules
from orilla_runtime.sinks.base import Counts
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.timing import Timing
from tests.runtime.decisions.test_rules import LABELS, record


def test_jsonl_holds_the_decision_beside_the_predictions(tmp_path: Path) -> None:
    plain = replace(record(0.2, 0.5, 0.3), timing=Timing(0, 0, 0, 0))
    sink = JsonlSink(tmp_path / "r.jsonl")
    sink.write(plain)
    sink.write(Decider(Rules(threshold=0.6), LABELS)(plain))
    sink.finish(Counts())
    sink.close()
    without, with_rules = (json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines())
    assert "decision" not in without
    assert with_rules["predictions"] == without["predictions"]
    assert with_rules["decision"] == {
        "label": "unknown",
        "class_id": None,
        "score": 0.5,
        "reason": "scratch has 0.50, below its threshold of 0.6",
    }
