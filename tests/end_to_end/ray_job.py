"""A Ray Data job over a folder of pictures, as docs/scale.md shows it; run with Ray's Python.

python tests/end_to_end/ray_job.py MODEL FOLDER RESULT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ray

import orilla


def main(model: str, folder: str, result: str) -> None:
    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = {}
    paths = sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())
    by_path = ray.data.from_items([{"path": path} for path in paths])
    rows["path"] = by_path.map_batches(orilla.Predictor(model), batch_size=8).take_all()
    # As a class: two actors, which keep their model from batch to batch; reading needs CPUs beside theirs.
    by_bytes = ray.data.read_binary_files(folder, include_paths=True)
    rows["bytes"] = by_bytes.map_batches(
        orilla.Predictor, fn_constructor_args=(model,), compute=ray.data.ActorPoolStrategy(size=2), batch_size=8
    ).take_all()
    plain = {
        column: [{"path": row["path"], "label": row["label"], "score": float(row["score"]), "error": row["error"]}
                 for row in found]
        for column, found in rows.items()
    }  # fmt: skip
    Path(result).write_text(json.dumps(plain), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
