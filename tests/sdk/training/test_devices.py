"""Several devices: two logical CPUs stand for two GPUs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.sdk.training import tiny

PROGRAM = """
import json, sys
from pathlib import Path
from orilla.keras_backend import keras_and_tensorflow
keras, tf = keras_and_tensorflow()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from orilla.models.zoo import MODELS
from orilla.training import train
from orilla_runtime.errors import UsageError
from tests.sdk.training import tiny
MODELS.update(tiny.ENTRIES)
data, folder = sys.argv[1], Path(sys.argv[2])
options = {"model": "tiny", "image_size": 8, "epochs": 4, "batch_size": 8, "seed": 1, "test": 0.3}

def stop(event):
    if getattr(event, "phase", "") == "train" and event.epoch == 2:
        raise KeyboardInterrupt

whole = train(data, output=folder / "whole.keras", **options)
try:
    train(data, output=folder / "parts.keras", **options, progress=stop)
except KeyboardInterrupt:
    pass
parts = train(data, output=folder / "parts.keras", **options, resume=True)
load = lambda result: keras.saving.load_model(result.path).get_weights()
try:
    train(data, output=folder / "no.keras", **{**options, "batch_size": 9})
except UsageError as error:
    refused = error.message
print(json.dumps({
    "same": all(np.array_equal(a, b) for a, b in zip(load(whole), load(parts))),
    "finite": all(np.isfinite(w).all() for w in load(whole)),
    "notes": whole.notes, "refused": refused, "loss": [end.loss for end in whole.history],
}))
"""


def test_two_devices_share_each_batch_and_resume_alike(tmp_path: Path) -> None:
    # 27 pictures of training: one is left out of each epoch.
    data = tiny.draw_stripes(tmp_path / "stripes", 45)
    command = [sys.executable, "-c", PROGRAM, str(data), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["finite"]
    assert said["same"]
    assert any("shared by 2 devices" in note for note in said["notes"])
    assert "2 devices cannot share" in said["refused"]
    assert said["loss"][-1] < said["loss"][0]
