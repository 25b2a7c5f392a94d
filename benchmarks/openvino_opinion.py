"""Runs where nothing of Orilla is: `python openvino_opinion.py MODEL PICTURES.npy OUT.npy [as-written]`.

PICTURES: uint8 [n, height, width, 3]; OUT: float32 [n, classes]. OpenVINO rewrites int8 graphs for its int8 kernels,
which round elsewhere than the file says; `as-written` leaves that out.
"""

import sys

import numpy as np
import openvino

model, pictures, out, *how = sys.argv[1:]
# On processors with bfloat16 it would compute in that unless told otherwise, and agree on 92 % in float32.
options = {"INFERENCE_PRECISION_HINT": "f32", **({"LP_TRANSFORMS_MODE": "NO"} if how == ["as-written"] else {})}
compiled = openvino.compile_model(model, "CPU", options)
np.save(out, np.concatenate([compiled(picture[np.newaxis])[0] for picture in np.load(pictures)]).astype(np.float32))
