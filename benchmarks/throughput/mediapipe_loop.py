"""MediaPipe's read-and-classify loop over a folder, in an environment of its own: a round a line on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision


def main() -> None:
    model, folder, count, offset = sys.argv[1:]
    paths = sorted(Path(folder).iterdir())[: int(count)]
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model), max_results=5)
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for _ in sys.stdin:
            found = [classifier.classify(mp.Image.create_from_file(str(path))) for path in paths]
            labels = [one.classifications[0].categories[0].index - int(offset) for one in found]
            print(json.dumps(labels), flush=True)


main()
