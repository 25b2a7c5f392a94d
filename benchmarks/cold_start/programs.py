"""The programs whose start is compared. Each gets a model and a picture, and prints the best class's number."""

from __future__ import annotations

BARE = """
import sys
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

model, picture = sys.argv[1:]
interpreter = Interpreter(model_path=model, num_threads=2)
interpreter.allocate_tensors()
image = cv2.cvtColor(cv2.resize(cv2.imread(picture), (224, 224)), cv2.COLOR_BGR2RGB)
(taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.set_tensor(taken["index"], np.ascontiguousarray(image)[np.newaxis])
interpreter.invoke()
print(int(interpreter.get_tensor(given["index"])[0].argmax()) - 1)
"""

ORILLA = """
import sys
import orilla
from orilla_runtime.sources.picture import read_picture

model, picture = sys.argv[1:]
print(orilla.load(model, threads=2)(read_picture(picture)).top.class_id)
"""

COMMAND = """
import sys
from orilla.cli import main

model, picture = sys.argv[1:]
sys.argv = ["orilla", "run", model, picture, "--threads", "2", "--quiet", "--json"]
main()
"""

MEDIAPIPE = """
import sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, picture = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model), max_results=5)
with vision.ImageClassifier.create_from_options(options) as classifier:
    found = classifier.classify(mp.Image.create_from_file(picture))
print(found.classifications[0].categories[0].index - 1)
"""
