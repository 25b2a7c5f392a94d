"""Ten kinds of things in 32x32 pixels: the tutorial's net and Orilla's own, on the same pictures.

python samples/08_cifar10.py cifar10 nets/     # downloaded once
python samples/08_cifar10.py photos/ nets/ 5   # a folder with a subfolder a class; five epochs
"""

import sys
from pathlib import Path

import orilla

photos, folder = sys.argv[1], Path(sys.argv[2])
changes = {"epochs": int(sys.argv[3])} if len(sys.argv) > 3 else {}
folder.mkdir(exist_ok=True)

for net in ("cifar_cnn", "small"):
    trained = orilla.train(photos, output=folder / f"{net}.keras", model=net, image_size=32, **changes)
    bundle = orilla.convert(trained.path, data=photos, output=folder / f"{net}.orilla", recipes=["tflite:int8"])
    size = bundle.artifacts[0].bytes
    print(f"{net}: {trained.summary}; as int8 {size:,} bytes")
