"""Turn a Keras model into a verified bundle, then classify pictures with it.

python samples/01_convert_and_classify.py digits.keras digits/ digits.orilla digits/7/*.png
"""

import sys

import cv2

import orilla

model, photos, bundle, *pictures = sys.argv[1:]

result = orilla.convert(model, data=photos, output=bundle, formats=["tflite"], precisions=["float32", "int8"])
for artifact in result.artifacts:
    print(f"{artifact.path}: agrees with Keras on {artifact.metrics.agreement:.1%} of {artifact.metrics.n} pictures")

classifier = orilla.load(bundle)
for picture in pictures:
    best = classifier(cv2.imread(picture)).top
    print(f"{picture}: {best.label} ({best.score:.1%})")
