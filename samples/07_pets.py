"""Cats or dogs: a pretrained net learns them from a folder of photos and becomes one small, proved file.

python samples/07_pets.py photos/ pets/        # photos/cat/*.jpg, photos/dog/*.jpg
python samples/07_pets.py cats_vs_dogs pets/   # the whole set, downloaded: needs the extra `datasets`
"""

import sys
from pathlib import Path

import orilla

photos, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(exist_ok=True)

# A new last layer on EfficientNet-Lite0, which has seen a million photos; then its last blocks are tuned.
trained = orilla.train(photos, output=folder / "pets.keras", model="efficientnet_lite0")
print(f"Keras: {trained.summary}")

bundle = orilla.convert(trained.path, data=photos, output=folder / "pets.orilla", recipes=["tflite:int8"])
for artifact in bundle.artifacts:
    print(f"{artifact.path}: {artifact.bytes:,} bytes, as Keras on {artifact.metrics.agreement:.1%} of the photos")

judged = orilla.evaluate(bundle.path, photos).artifacts[0]
print(f"{judged.artifact}: {judged.accuracy.top1:.1%} of {judged.accuracy.n} photos right")
