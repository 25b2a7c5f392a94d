"""Runs in an environment of MediaPipe alone: a model and pictures in, the best classes of each as JSON out.

    python mediapipe_classify.py MODEL.tflite PICTURES.npy

PICTURES holds uint8 RGB [n, height, width, 3].
"""

from __future__ import annotations

import json
import sys

import mediapipe
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision


def main(model: str, pictures: str) -> None:
    options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=model), max_results=-1)
    rows = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for picture in np.load(pictures):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
            found = classifier.classify(image).classifications[0].categories
            rows.append([[one.index, one.category_name, one.score] for one in found])
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
