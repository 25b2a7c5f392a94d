"""Runs where nothing of Orilla is: `python openvino_opinion.py MODEL PICTURES.npy OUT.npy`.

PICTURES: uint8 [n, height, width, 3]; OUT: float32 [n, classes].
"""

import sys

import numpy as np
import openvino

model, pictures, out = sys.argv[1:]
# On processors with bfloat16 it would compute in that unless told otherwise, and agree on 92 % in float32.
compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
np.save(out, np.concatenate([compiled(picture[np.newaxis])[0] for picture in np.load(pictures)]).astype(np.float32))
